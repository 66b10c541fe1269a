"""Requests to other hosts, and stopping, on loopback only."""

import socket
import threading

import pytest

from pipeline.core.errors import StageError
from pipeline.core.web import Pace, is_loopback
from pipeline.download.breaker import UNREACHED_SECONDS, CircuitBreaker, CircuitOpen
from pipeline.download.recordings import intervals_of, require_answers
from tests.download.conftest import QuickBreaker
from tests.faults import in_turn, ok, redirect, status


@pytest.fixture
def answers(server, tone):
    """Return server answers by first letter: ok, blocked, gone, skipped (a page) and transient."""
    return {
        "o": ok(tone(".mp3", 1.0), "audio/mpeg"),
        "b": status(429),
        "g": status(404),
        "s": ok("<html></html>"),
        "t": status(503),
    }


def test_three_refusals_in_a_row_stop_the_run_and_the_next_one_resumes(server, answers, fetch, asked):
    urls = [server.put(f"/{n}", answers[letter]) for n, letter in enumerate("obbbooo")]
    outcome = fetch.run(*urls, workers=1)
    assert set(asked()) == {"/0", "/1", "/2", "/3"}
    assert [row["status"] for row in outcome.rows] == ["ok"] + ["blocked"] * 6
    assert [row["reason"].startswith("not requested: ") for row in outcome.rows] == [False] * 4 + [True] * 3
    assert all("429" in row["reason"] for row in outcome.rows[1:])
    with pytest.raises(StageError) as stopped:
        require_answers(outcome)
    for part in ("429 Too Many Requests", "1 of 7", "6 remain", "dvc repro download", "cookies", urls[1]):
        assert part in str(stopped.value)

    for n in range(7):
        server.put(f"/{n}", answers["o"])
    outcome = fetch.run(*urls, workers=1)
    assert "/0" not in asked()
    assert [row["status"] for row in outcome.rows] == ["ok"] * 7
    require_answers(outcome)


@pytest.mark.parametrize(
    ("letters", "stops"),
    [
        ("bobb", False),
        ("bbgb", False),
        ("bsbb", False),
        ("bbb", True),
        ("obbb", True),
        ("btbtb", True),
        ("tttt", False),
    ],
)
def test_what_counts_as_in_a_row(letters, stops, server, answers, fetch):
    urls = [server.put(f"/{n}", answers[letter]) for n, letter in enumerate(letters)]
    assert (fetch.run(*urls, workers=1, attempts=1).stop is not None) is stops


def test_workers_stop_together(server, fetch, asked):
    urls = [server.put(f"/{n}", status(403)) for n in range(40)]
    outcome = fetch.run(*urls, workers=4)
    assert len(asked()) <= 3 + 3  # requests that the other workers had started
    assert [row["status"] for row in outcome.rows] == ["blocked"] * 40


def test_a_failure_is_not_tried_again_once_the_web_refuses(server, answers, fetch, asked, monkeypatch):
    """One worker backs off after a 503 while the other is refused three times: its row has its own failure."""
    refused = threading.Event()

    def pause(breaker, seconds):
        assert refused.wait(10)

    original = CircuitBreaker.note

    def note(breaker, *outcome):
        original(breaker, *outcome)
        if breaker.stop:
            refused.set()

    monkeypatch.setattr(QuickBreaker, "pause", pause)
    monkeypatch.setattr(CircuitBreaker, "note", note)
    urls = [server.put("/a", in_turn(answers["t"], answers["o"]))]
    urls += [server.put(f"/{n}", answers["b"]) for n in range(3)]
    outcome = fetch.run(*urls, workers=2, attempts=3)
    assert outcome.stop is not None
    assert [row["status"] for row in outcome.rows] == ["transient"] + ["blocked"] * 3
    assert asked()["/a"] == 1


@pytest.mark.parametrize(
    ("requests", "stops"),
    [
        ("aabbc", True),
        ("aabbb", False),  # two recordings: their host may be down
        ("ab-ca", False),  # a response in between
        ("a-aabbc", True),
    ],
)
def test_a_network_that_is_down_stops_the_run(requests, stops):
    seconds = iter(range(0, 1000, 7))
    breaker = CircuitBreaker(lambda: float(next(seconds)))
    for address in requests:
        if address == "-":
            breaker.reached()
        else:
            breaker.unreached("no connection to example.org (ConnectTimeout)", address)
    assert (breaker.stop is not None) is stops
    if stops:
        assert breaker.stop.addresses == ("a", "b", "c")


def test_a_short_interruption_of_the_network_does_not_stop_the_run():
    breaker = CircuitBreaker(lambda: 5.0)
    for address in "abcdef" * 3:
        breaker.unreached("no connection", address)
    assert breaker.stop is None and UNREACHED_SECONDS > 5.0


def test_offline_no_more_than_a_few_recordings_are_requested(fetch, monkeypatch):
    asked = []

    def getaddrinfo(host, *arguments, **options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("pipeline.download.breaker.UNREACHED_SECONDS", 0.0)
    outcome = fetch.run(*(f"https://{n}.example/a.mp3" for n in range(10)), workers=1, attempts=1)
    assert set(asked) == {"0.example", "1.example", "2.example"}
    assert [row["status"] for row in outcome.rows] == ["transient"] * 3 + ["blocked"] * 7
    with pytest.raises(StageError, match=r"no connection to 2\.example.*\n.*10 .*\n.*network"):
        require_answers(outcome)


def test_transfers_end_when_the_run_is_interrupted_and_are_completed_when_the_web_refuses():
    interrupted, refused = CircuitBreaker(), CircuitBreaker()
    interrupted.require_run()
    interrupted.release()
    with pytest.raises(CircuitOpen):
        interrupted.require_run()
    for n in range(3):
        refused.note("blocked", "429", f"https://example.org/{n}")
    refused.require_run()


@pytest.fixture
def pace(settings):
    """Return a function that creates a pace of 1 and 12 s with a clock advanced by its pauses."""

    def make(breaker):
        now = [100.0]

        def pause(seconds):
            breaker.pauses.append(seconds)
            now[0] += seconds

        breaker.pause = pause
        changed = settings.__class__(**(vars(settings) | {"request_pause_seconds": 1.0, "video_pause_seconds": 12.0}))
        return Pace(intervals_of(changed), lambda: now[0], breaker.wait)

    return make


def test_requests_and_recordings_have_a_rate_each(pace):
    breaker = QuickBreaker()
    ours = pace(breaker)
    for kind in ("recording", "request", "request", "recording", "recording", "request"):
        ours.wait(kind, "https://www.youtube.com/watch?v=x")
    assert breaker.pauses == [1.0, 11.0, 12.0]  # the last request comes long after the previous one


def test_loopback_is_not_kept_waiting(pace):
    breaker = QuickBreaker()
    ours = pace(breaker)
    for url in ("http://127.0.0.1:80/a", "https://example.org/a", "http://127.0.0.1:80/a", "ytsearch1:a"):
        ours.wait("request", url)
    assert breaker.pauses == [1.0]


def test_probing_requests_keep_the_pace_and_transfers_do_not(server, tone, fetch, monkeypatch):
    monkeypatch.setattr("pipeline.core.web.is_loopback", lambda url: False)
    target = server.put("/a.mp3", ok(tone(".mp3", 1.0), "audio/mpeg"))
    row = fetch(server.put("/moved", redirect(target)), request_pause_seconds=7.0, video_pause_seconds=0.0)[0]
    assert row["status"] == "ok"
    assert server.paths() == ["/moved", "/a.mp3", "/a.mp3", "/a.mp3"]  # then the redirect, the probe, the transfer
    assert fetch.breaker.pauses == [pytest.approx(7.0, abs=2.0)]


def test_workers_share_the_pauses(settings):
    """Four workers that arrive at the same time pass one after the other."""
    breaker = QuickBreaker()
    ours = Pace(intervals_of(settings), lambda: 0.0, breaker.wait)
    threads = [
        threading.Thread(
            target=ours.wait,
            args=(
                "recording",
                "https://example.org/",
            ),
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(breaker.pauses) == [60.0, 120.0, 180.0]


def test_waiting_workers_are_woken_when_the_web_refuses(settings):
    breaker = CircuitBreaker()
    ours = Pace(intervals_of(settings), lambda: 0.0, breaker.wait)
    ours.wait("recording", "https://example.org/")
    threading.Timer(
        0.1, lambda: [breaker.note("blocked", "not a bot", "https://example.org/") for _ in range(3)]
    ).start()
    with pytest.raises(CircuitOpen, match=r"not requested: .*not a bot"):
        ours.wait("recording", "https://example.org/")  # 60 s


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80/a", True),
        ("http://[::1]/a", True),
        ("http://localhost/a", True),
        ("https://127.0.0.1.example/a", False),
        ("http://192.168.0.1/a", False),  # another machine on the same network
        ("https://www.youtube.com/watch?v=x", False),
        ("ytsearch1:a title", False),
        ("http://[broken/", False),
    ],
)
def test_only_this_machine_is_not_kept_waiting(url, expected):
    assert is_loopback(url) is expected
