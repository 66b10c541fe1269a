import json

import pytest

from pipeline.core.files import sha256_of
from pipeline.corpus import Film
from pipeline.download.client import MAX_ANSWER_BYTES
from pipeline.download.rows import FOLDER, Request, remove_others, requests_of
from tests.faults import gzip_bomb, in_turn, large, ok, redirect, reset, stall, status, truncated

MP3 = "audio/mpeg"
HTML = "<html><head><title>t</title></head><body>no music</body></html>"


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".mp3", ".ogg"])
def test_any_container_is_fetched_whole_and_named_by_content(suffix, server, tone, fetch, root):
    body = tone(suffix, 2.0)
    url = server.put("/..%2f..%2fevil.exe", ok(body, MP3))
    row = fetch(url)[0]
    assert (row["status"], row["reason"], row["path"]) == ("ok", "", f"data/downloads/AAA/000{suffix}")
    assert (row["url"], row["video_url"], row["entry"], row["chapters"]) == (url, url, None, [])
    assert (root / row["path"]).read_bytes() == body
    assert row["bytes"] == len(body) and row["sha256"] == sha256_of(root / row["path"])
    assert row["decoded_seconds"] == pytest.approx(2.0, abs=0.06)
    assert row["expected_seconds"] == pytest.approx(2.0, abs=0.06)
    assert json.loads((root / "data/downloads/AAA/000.json").read_text()) == row


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (status(404), "gone", "404"),
        (status(410), "gone", "410"),
        (status(451), "gone", "451"),
        (status(401), "blocked", "401"),
        (status(403), "blocked", "403"),
        (status(429, headers={"Retry-After": "9999"}), "blocked", "429 Too Many Requests, Retry-After: 9999"),
        (status(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "blocked", "Retry-After: Wed, 21 Oct"),
        (status(500), "transient", "500"),
        (status(503, headers={"Retry-After": "9999"}), "transient", "503"),
        (status(418), "transient", "418"),
        (reset(b"", 0), "transient", "no connection"),
        (reset(bytes(9000), 3000, MP3), "transient", ""),
        (stall(b"ID3", MP3), "transient", ""),
        (ok(HTML), "skipped", "page"),
        (ok(HTML, MP3), "skipped", "decod"),
        (ok(bytes(range(256)) * 200, MP3), "skipped", "decod"),
        (ok(b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", MP3), "skipped", "decod"),
        (ok("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "audio/x-mpegurl"), "skipped", "file"),
        (ok('<html><body><audio src="file:///etc/passwd"></audio></body></html>'), "skipped", "file"),
        (ok(b"", MP3), "skipped", "data"),
        (large(1_000_001, MP3), "skipped", "max_bytes (1000000)"),
        (large(1_100_000, MP3, length=False), "skipped", "max_bytes (1000000)"),
        (large(MAX_ANSWER_BYTES + 1000, "text/plain", length=False), "skipped", "max_bytes (1000000)"),
        (redirect("file:///etc/passwd", 302), "skipped", "file:"),
        (redirect("/a.mp3", 302), "transient", "302"),
    ],
)  # fmt: skip
def test_each_failure_is_a_row(answer, outcome, reason, server, fetch, root):
    row = fetch(server.put("/a.mp3", answer), timeout_seconds=0.3)[0]
    assert row["status"] == outcome
    assert reason in row["reason"] and "0x" not in row["reason"]
    assert (row["path"], row["sha256"], row["bytes"], row["decoded_seconds"]) == ("", "", None, None)
    assert not [path for path in (root / "data/downloads/AAA").iterdir() if path.suffix not in (".json", ".part")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ok(b"<html>" + b" " * 400_000), "a page of more than 300000 bytes"),
        (gzip_bomb(30_000_000), "max_bytes"),  # the probe requests no compression: this is taken for a file
    ],
)
def test_endless_answers_are_not_read_into_memory(answer, reason, server, fetch, monkeypatch):
    monkeypatch.setattr("pipeline.download.client.MAX_ANSWER_BYTES", 300_000)
    row = fetch(server.put("/a", answer))[0]
    assert row["status"] == "skipped" and reason in row["reason"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.mp3", "http://a..b/x.mp3", "http://127.0.0.1:99999/a.mp3"])
def test_hosts_that_cannot_be_reached(url, fetch):
    row = fetch(url)[0]
    assert row["status"] == "transient"
    assert row["reason"] and "0x" not in row["reason"]


def test_a_redirect_to_another_host_is_followed(server, tone, fetch):
    target = server.put("/b.mp3", ok(tone(".mp3", 1.0), MP3)).replace("127.0.0.1", "localhost")
    row = fetch(server.put("/a.mp3", redirect(target)))[0]
    assert (row["status"], row["video_url"]) == ("ok", target)


@pytest.mark.parametrize("suffix", [".mp3", ".webm"])
def test_a_truncated_file_is_refused_though_it_decodes(suffix, server, tone, fetch, root):
    body = tone(suffix, 8.0)
    row = fetch(server.put("/a" + suffix, ok(body[: len(body) // 2], MP3)))[0]
    assert row["status"] == "transient" and "truncated" in row["reason"]
    assert row["expected_seconds"] == pytest.approx(8.0, abs=0.1)
    assert row["decoded_seconds"] == pytest.approx(4.0, abs=0.2)
    assert row["path"] == ""
    assert not list((root / FOLDER / "AAA").glob("000.[!j]*"))


@pytest.mark.parametrize("suffix", [".mp3", ".webm", ".m4a", ".ogg"])
def test_a_truncated_file_is_fetched_again(suffix, server, tone, fetch, asked):
    body = tone(suffix, 8.0)
    half, whole = ok(body[: len(body) // 2], MP3), ok(body, MP3)
    url = server.put("/a", in_turn(half, half, whole))  # probe and transfer, twice
    row = fetch(url)[0]
    assert row["status"] == "ok" and row["bytes"] == len(body)
    assert asked()["/a"] == 4


def test_an_interrupted_transfer_is_retried_and_then_a_row(server, tone, fetch, asked, root):
    body = tone(".mp3", 2.0)
    url = server.put("/a.mp3", truncated(body, len(body) // 2, MP3))
    row = fetch(url, attempts=3)[0]
    assert row["status"] == "transient"
    assert asked()["/a.mp3"] == 6  # probe and transfer, three times
    remove_others(root, [row])
    assert list((root / FOLDER / "AAA").glob("*.part"))  # the next run resumes it
    server.put("/a.mp3", ok(body, MP3))
    row = fetch(url)[0]
    assert row["status"] == "ok" and (root / row["path"]).read_bytes() == body
    remove_others(root, [row])
    assert {path.name for path in (root / FOLDER / "AAA").iterdir()} == {"000.json", "000.mp3"}


def test_pauses_between_attempts_grow_and_vary(server, fetch, monkeypatch):
    monkeypatch.setattr("pipeline.download.fetch.is_loopback", lambda url: False)
    url = server.put("/a.mp3", status(503))
    runs = []
    for _ in range(2):
        fetch(url, attempts=8)
        runs.append(fetch.breaker.pauses)
    for pauses in runs:
        assert len(pauses) == 7
        for attempt, seconds in enumerate(pauses):
            middle = min(60.0, 2.0 * 2**attempt)
            assert 0.5 * middle <= seconds <= 1.5 * middle
    assert len({pauses[0] for pauses in runs}) > 1


def test_loopback_is_kept_waiting_for_moments_only(server, fetch):
    fetch(server.put("/a.mp3", status(503)), attempts=4)
    assert len(fetch.breaker.pauses) == 3 and sum(fetch.breaker.pauses) < 1.0


def test_a_transient_failure_ends_in_success(server, tone, fetch):
    body = ok(tone(".mp3", 1.0), MP3)
    assert fetch(server.put("/a.mp3", in_turn(status(503), body)))[0]["status"] == "ok"


@pytest.mark.parametrize("answer", [status(403), status(429), status(404), ok(HTML)])
def test_permanent_failures_are_not_retried_at_once(answer, server, fetch, asked):
    fetch(server.put("/a.mp3", answer), attempts=5)
    assert asked()["/a.mp3"] == 1


def test_a_recording_that_is_too_long(server, tone, fetch, asked):
    url = server.put("/a.ogg", ok(tone(".ogg", 3.0), "audio/ogg"))
    assert fetch(url, max_seconds=2.0)[0]["status"] == "skipped"
    asked()
    assert fetch(url, max_seconds=1.0)[0]["status"] == "skipped"
    assert fetch(url, max_seconds=2.0)[0]["status"] == "skipped"
    assert not asked()
    assert fetch(url, max_seconds=4.0)[0]["status"] == "ok"
    assert fetch(url, max_seconds=2.0)[0]["status"] == "skipped"


@pytest.mark.parametrize("length", [True, False])
def test_a_recording_that_is_too_large(length, server, tone, fetch, asked):
    body = tone(".mp3", 3.0)

    def unmeasured(handler):
        handler.hang_up()
        handler.start(200, {"Content-Type": MP3})
        handler.send(body)

    url = server.put("/a.mp3", ok(body, MP3) if length else unmeasured)
    assert fetch(url, max_bytes=1000)[0]["status"] == "skipped"
    asked()
    assert fetch(url, max_bytes=1000)[0]["status"] == "skipped"
    assert fetch(url, max_bytes=500)[0]["status"] == "skipped"
    assert not asked()
    assert fetch(url, max_bytes=len(body))[0]["status"] == "ok"


def test_rows_keep_the_order_of_the_requests(server, tone, fetch):
    body = ok(tone(".mp3", 1.0), MP3)
    urls = [server.put(f"/{n}.mp3", body) if n % 3 else f"{server.origin}/none{n}" for n in range(9)]
    rows = fetch(*urls, workers=4)
    assert [row["number"] for row in rows] == list(range(9))
    assert [row["url"] for row in rows] == urls
    assert [row["status"] for row in rows] == ["gone", "ok", "ok"] * 3


def test_a_second_run_requests_only_what_may_have_changed(server, tone, fetch, root, asked):
    body = ok(tone(".mp3", 1.0), MP3)
    names = {"/a.mp3": body, "/b.mp3": body, "/c.mp3": status(503), "/d.mp3": status(404), "/e": ok(HTML)}
    urls = [server.put(path, answer) for path, answer in (names | {"/f.mp3": status(403)}).items()]
    before = fetch(*urls, attempts=1)
    assert [row["status"] for row in before] == ["ok", "ok", "transient", "gone", "skipped", "blocked"]
    asked()
    assert fetch(*urls, attempts=1) == before
    assert asked() == {"/c.mp3": 1, "/f.mp3": 1}

    (root / before[0]["path"]).unlink()
    server.put("/c.mp3", body)
    rows = fetch(urls[0], server.put("/other.mp3", body), *urls[2:], attempts=1)
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "gone", "skipped", "blocked"]
    assert set(asked()) == {"/a.mp3", "/other.mp3", "/c.mp3", "/f.mp3"}


def test_refused_recordings_are_requested_last(server, fetch):
    urls = [server.put(f"/{n}", status(403 if n < 2 else 503)) for n in range(4)]
    fetch(*urls, workers=1, attempts=1)
    server.forget()
    fetch(*urls, workers=1, attempts=1)
    assert server.paths() == ["/2", "/3", "/0", "/1"]


def test_a_damaged_row_or_file_is_fetched_again(server, tone, fetch, root):
    url = server.put("/a.mp3", ok(tone(".mp3", 1.0), MP3))
    before = fetch(url)
    for damage in (b"{", b"[]", b"\xff", b"{}"):
        (root / "data/downloads/AAA/000.json").write_bytes(damage)
        assert fetch(url) == before
    (root / before[0]["path"]).write_bytes(b"short")
    assert fetch(url) == before
    assert (root / before[0]["path"]).stat().st_size == before[0]["bytes"]


def test_a_killed_transfer_resumes_only_for_the_same_url_and_format(server, tone, fetch, root, asked):
    body = tone(".mp3", 2.0)
    url = server.put("/a.mp3", ok(body, MP3))
    request = Request("AAA", 0, url, None, url, "")
    part = root / request.part("mpeg None")  # yt-dlp's name of the format, and an unknown size
    others = [Request("AAA", 0, "u", None, "http://elsewhere/a.mp3", "").part("mpeg None"), request.part("251 9")]
    part.parent.mkdir(parents=True)
    for other in others:
        assert root / other != part
        (root / other).with_suffix(".part").write_bytes(b"rubbish")
    part.write_bytes(body)  # complete, but killed before the check
    row = fetch(url)[0]
    assert row["status"] == "ok"
    assert (root / row["path"]).read_bytes() == body
    assert asked()["/a.mp3"] == 1  # probe only


def test_recordings_removed_from_the_corpus_are_deleted(server, tone, fetch, root):
    body = ok(tone(".mp3", 1.0), MP3)
    rows = fetch(server.put("/a.mp3", body), server.put("/b.mp3", body))
    (root / FOLDER / "AAB").mkdir()
    (root / FOLDER / "AAB/000.mp3").write_bytes(b"")
    (root / FOLDER / "AAA/.part-000-0123.part").write_bytes(b"")
    (root / FOLDER / "AAA/.part-abcdefgh.json").write_bytes(b"")
    (root / FOLDER / "notes.txt").write_bytes(b"")
    remove_others(root, rows[:1])
    assert {path.relative_to(root / FOLDER).as_posix() for path in (root / FOLDER).rglob("*")} == {
        "AAA", "AAA/000.mp3", "AAA/000.json", "notes.txt",
    }  # fmt: skip


def test_requests_are_numbered_by_position():
    films = [Film("AAA", "w", ("x", "y")), Film("AAB", "w", ()), Film("AAC", "w", ("x",))]
    assert [(r.fid, r.number, r.url) for r in requests_of(films)] == [("AAA", 0, "x"), ("AAA", 1, "y"), ("AAC", 0, "x")]
