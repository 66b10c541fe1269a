"""Failures beyond single recordings: the run stops, nothing is final, and `download.retry` retries."""

import json
import logging

import pytest

from pipeline.core.errors import StageError
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.failures import MAX_RUNS, may_be_outdated
from pipeline.download.recordings import require_answers
from tests.faults import ok, status

APP = "The following content is not available on this app.. Watch on the latest version of YouTube."
UNAVAILABLE = "Video unavailable. This video is not available"


@pytest.fixture
def quick(fetch):
    """Return `fetch` without pauses and with one attempt."""

    def run(*urls, **changes):
        return fetch.run(*urls, **{"attempts": 1, "request_pause_seconds": 0.0, "video_pause_seconds": 0.0, **changes})

    return run


def ids(count, letter="v"):
    return [f"{letter}{number:010}" for number in range(count)]


@pytest.mark.parametrize("message", [APP, UNAVAILABLE, "Video unavailable", "This video is not available"])
def test_an_outdated_yt_dlp_stops_the_run_and_nothing_is_gone(message, web, quick):
    urls = [web.says(identity, message) for identity in ids(40)]
    outcome = quick(*urls)
    assert len(web.asked) == 5
    assert {row["status"] for row in outcome.rows} == {"transient", "blocked"}
    with pytest.raises(StageError) as stopped:
        require_answers(outcome)
    for part in ("stopped", "5 recordings failed for one reason", message[:20], "pip install -U yt-dlp", "40 remain"):
        assert part in str(stopped.value)

    for identity in ids(40):
        web.recording(identity)
    outcome = quick(*urls)
    assert {row["status"] for row in outcome.rows} == {"ok"}
    require_answers(outcome)


@pytest.mark.parametrize("count", [3, 4])
def test_a_run_too_short_to_be_stopped_is_not_trusted_either(count, web, quick, caplog):
    urls = [web.says(identity, UNAVAILABLE) for identity in ids(count)]
    outcome = quick(*urls)
    assert [row["status"] for row in outcome.rows] == ["transient"] * count
    with pytest.raises(StageError, match=r"pip install -U yt-dlp"):
        require_answers(outcome)
    assert [row["status"] for row in quick(*urls).rows] == ["gone"] * count  # reported twice
    quick(*urls)
    assert set(web.asked.values()) == {2}


def test_new_recordings_that_are_all_gone_do_not_fail_a_run_with_others(web, quick, caplog):
    good = [web.recording(identity) for identity in ids(5, "g")]
    quick(*good)
    outcome = quick(*good, *(web.says(identity, UNAVAILABLE) for identity in ids(3)))
    with caplog.at_level(logging.WARNING):
        require_answers(outcome)
    assert "3 recordings failed for one reason" in caplog.text and "pip install -U yt-dlp" in caplog.text


def test_successful_searches_do_not_hide_it(web, quick):
    items = []
    for number, identity in enumerate(ids(30)):
        entry = {"_type": "url", "ie_key": "Youtube", "id": identity, "url": web.says(identity, UNAVAILABLE)}
        items.append(f"ytsearch1:{number}")
        web.found[items[-1]] = {"_type": "playlist", "entries": [entry]}
    assert quick(*items).stop is not None
    assert len(web.asked) <= 12


def test_a_few_successes_do_not_hide_it(web, quick):
    """The first succeeds, and one in ten later."""
    urls = [web.recording(i) if n % 15 == 0 else web.says(i, UNAVAILABLE) for n, i in enumerate(ids(60))]
    outcome = quick(*urls)
    assert outcome.stop is not None and len(web.asked) <= 20
    assert not [row for row in outcome.rows if row["status"] == "gone"]


def test_dead_links_among_others_are_gone_at_once(web, quick):
    urls = [web.says(i, UNAVAILABLE) if n % 3 else web.recording(i) for n, i in enumerate(ids(30))]
    outcome = quick(*urls)
    assert outcome.stop is None and outcome.doubt is None
    assert [row["status"] for row in outcome.rows] == ["ok", "gone", "gone"] * 10


def test_the_reason_of_a_stop_is_accepted_by_the_next_run(web, quick):
    dead = [web.says(identity, UNAVAILABLE) for identity in ids(7)]
    assert quick(*dead).stop is not None
    outcome = quick(*dead, *(web.recording(identity) for identity in ids(4, "g")))
    assert outcome.stop is None
    assert [row["status"] for row in outcome.rows] == ["gone"] * 7 + ["ok"] * 4


def test_a_network_that_is_down_stops_the_run_and_names_no_yt_dlp(server, quick):
    urls = [f"http://127.0.0.1:1/{n}.mp3" for n in range(30)]
    outcome = quick(*urls)
    assert sum(row["reason"].startswith("no connection") for row in outcome.rows) == 5
    with pytest.raises(StageError, match=r"failed for one reason: no connection") as stopped:
        require_answers(outcome)
    assert "yt-dlp" not in str(stopped.value)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (APP, True),
        (UNAVAILABLE, True),
        ("Requested format is not available", True),
        ("Failed to extract any player response", True),
        ("the server answered 403 Forbidden", True),
        ("something that nobody has seen", True),
        ("the server answered 503 Service Unavailable", False),
        ("the server answered 429 Too Many Requests", False),
        ("no connection, or it was lost (timeout)", False),
        ("truncated: only 5.0 of 10.0 s can be decoded", False),
        ("Private video", False),
        ("This video has been removed by the uploader", False),
    ],
)
def test_reasons_of_an_outdated_yt_dlp(reason, expected):
    assert may_be_outdated(reason) is expected


def test_reasons_that_differ_in_numbers_are_the_same():
    breaker = CircuitBreaker()
    for number in range(5):
        breaker.note("transient", f"truncated: only {number}.5 of 10.0 s can be decoded", f"http://x/{number}")
    assert breaker.stop is not None


def test_an_unknown_failure_is_retried_in_a_few_runs_then_given_up(web, quick):
    url = web.says("v", "Fooled by the moon", expected=False)
    statuses = [quick(url).rows[0] for _ in range(MAX_RUNS + 2)]
    assert [row["status"] for row in statuses] == ["transient"] * (MAX_RUNS - 1) + ["given_up"] * 3
    assert statuses[-1]["reason"] == f"Fooled by the moon (in {MAX_RUNS} runs)"
    assert web.asked[url] == MAX_RUNS
    quick(url, retry="given_up")
    assert web.asked[url] == MAX_RUNS + 1
    assert quick(url).rows[0]["status"] == "transient"


def test_a_server_that_is_down_is_never_given_up(server, quick):
    url = server.put("/a.mp3", status(503))
    assert [quick(url).rows[0]["status"] for _ in range(MAX_RUNS + 2)] == ["transient"] * (MAX_RUNS + 2)


@pytest.mark.parametrize("kind", ["gone", "skipped"])
def test_retry_asks_again_for_its_status_alone(kind, server, quick, tone):
    urls = [server.put("/gone.mp3", status(404)), server.put("/skipped", ok("<html></html>"))]
    assert [row["status"] for row in quick(*urls).rows] == ["gone", "skipped"]
    for path in ("/gone.mp3", "/skipped"):
        server.put(path, ok(tone(".mp3", 1.0), "audio/mpeg"))
    assert [row["status"] for row in quick(*urls).rows] == ["gone", "skipped"]
    rows = quick(*urls, retry=kind).rows
    assert [row["status"] for row in rows] == [
        "ok" if row_kind == kind else row_kind for row_kind in ("gone", "skipped")
    ]


def test_retry_is_not_stopped_by_recordings_that_are_still_gone(web, quick):
    dead = [web.says(identity, UNAVAILABLE) for identity in ids(8)]
    quick(*dead, *(web.recording(identity) for identity in ids(2, "g")))
    quick(*dead)
    assert [row["status"] for row in quick(*dead, retry="gone").rows] == ["gone"] * 8


def test_rows_of_before_this_count_are_kept(web, quick, root):
    url = web.says("v", UNAVAILABLE)
    before = quick(url).rows
    path = root / "data/downloads/AAA/000.json"
    assert json.loads(path.read_text()) == before[0] and before[0]["needs"] is None
    assert quick(url).rows == before and web.asked[url] == 1
