import dataclasses
import json

import pytest

from pipeline.corpus import Film
from pipeline.download.fetch import fetch_all, is_loopback
from pipeline.download.rows import FOLDER, Request, remove_others, requests_of
from pipeline.files import sha256_of


@pytest.fixture
def fetch(root, settings):
    """Return a function that fetches URLs of film AAA and gives their rows."""

    def run(*urls, **changes):
        requests = [Request("AAA", number, url) for number, url in enumerate(urls)]
        return fetch_all(root, requests, "", dataclasses.replace(settings, **changes))

    return run


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".mp3", ".ogg"])
def test_any_container_is_fetched_whole_and_named_by_content(suffix, site, tone, fetch, root):
    body = tone(suffix, 2.0)
    row = fetch(site.put("/..%2f..%2fevil.exe", body=body))[0]
    assert (row["status"], row["reason"], row["path"]) == ("ok", "", f"data/downloads/AAA/000{suffix}")
    assert (root / row["path"]).read_bytes() == body
    assert row["bytes"] == len(body) and row["sha256"] == sha256_of(root / row["path"])
    assert row["decoded_seconds"] == pytest.approx(2.0, abs=0.06)
    assert row["expected_seconds"] == pytest.approx(2.0, abs=0.06)
    assert json.loads((root / "data/downloads/AAA/000.json").read_text()) == row


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"status": 404}, "gone", "404"),
        ({"status": 410}, "gone", "410"),
        ({"status": 403}, "blocked", "403"),
        ({"status": 429, "headers": {"Retry-After": "9999"}}, "blocked", "429"),
        ({"status": 500}, "unreachable", "500"),
        ({"body": b"<html><body>no music</body></html>", "kind": "text/html"}, "not_audio", "page"),
        ({"body": b"<html><body>no music</body></html>"}, "not_audio", "decoded"),
        ({"body": bytes(range(256)) * 200}, "not_audio", "decoded"),
        ({"body": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"}, "not_audio", "decoded"),
        ({"body": b""}, "not_audio", "data"),
        ({"body": bytes(1_000_001)}, "too_large", "max_bytes (1000000)"),
        ({"body": bytes(1_100_000), "length": False}, "too_large", "max_bytes (1000000)"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "failed", "file:"),
    ],
)
def test_trouble_is_a_row(answer, status, reason, site, fetch, root):
    row = fetch(site.put("/a.mp3", **answer))[0]
    assert row["status"] == status
    assert reason in row["reason"]
    assert (row["path"], row["sha256"], row["bytes"], row["decoded_seconds"]) == ("", "", None, None)
    assert not [path for path in (root / "data/downloads/AAA").iterdir() if path.suffix not in (".json", ".part")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.mp3", "http://a..b/x.mp3", "http://127.0.0.1:99999/a.mp3"])
def test_hosts_that_cannot_be_reached(url, fetch):
    row = fetch(url, pause_seconds=0.0)[0]
    assert row["status"] in ("unreachable", "failed")
    assert row["reason"] and "0x" not in row["reason"]


@pytest.mark.parametrize("suffix", [".mp3", ".webm"])
def test_a_truncated_file_is_refused_though_it_decodes(suffix, site, tone, fetch, root):
    body = tone(suffix, 8.0)
    row = fetch(site.put("/a" + suffix, body=body[: len(body) // 2]))[0]
    assert row["status"] == "truncated"
    assert row["expected_seconds"] == pytest.approx(8.0, abs=0.1)
    assert row["decoded_seconds"] == pytest.approx(4.0, abs=0.2)
    assert row["path"] == ""
    assert not list((root / FOLDER / "AAA").glob("000.[!j]*"))


def test_a_transfer_that_breaks_off_is_tried_again_and_then_a_row(site, tone, fetch):
    body = tone(".mp3", 2.0)
    row = fetch(site.put("/a.mp3", body=body, cut=len(body) // 2), attempts=3)[0]
    assert row["status"] == "truncated"
    assert site.asked["/a.mp3"] == 6  # a look and a transfer, three times


def test_a_recording_that_is_too_long(site, tone, fetch):
    url = site.put("/a.ogg", body=tone(".ogg", 3.0))
    assert fetch(url, max_seconds=2.0)[0]["status"] == "too_long"
    assert fetch(url, max_seconds=4.0)[0]["status"] == "ok"  # the limit was raised: asked again


def test_rows_keep_the_order_of_the_requests(site, tone, fetch):
    body = tone(".mp3", 1.0)
    urls = [site.put(f"/{n}.mp3", body=body) if n % 3 else f"{site.origin}/none{n}" for n in range(9)]
    rows = fetch(*urls, workers=4)
    assert [row["number"] for row in rows] == list(range(9))
    assert [row["url"] for row in rows] == urls
    assert [row["status"] for row in rows] == ["gone", "ok", "ok"] * 3


def test_a_second_run_asks_only_for_what_may_have_changed(site, tone, fetch, root):
    body = tone(".mp3", 1.0)
    urls = [site.put("/a.mp3", body=body), site.put("/b.mp3", body=body), site.put("/c.mp3", status=503), "/d.mp3"]
    urls[3] = site.origin + "/d.mp3"  # 404
    before = fetch(*urls, attempts=1)
    site.asked.clear()
    assert fetch(*urls, attempts=1) == before
    assert site.asked == {"/c.mp3": 1}

    (root / before[0]["path"]).unlink()
    site.put("/c.mp3", body=body)
    site.asked.clear()
    rows = fetch(urls[0], site.put("/other.mp3", body=body), *urls[2:], attempts=1)
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "gone"]
    assert set(site.asked) == {"/a.mp3", "/other.mp3", "/c.mp3"}


def test_a_damaged_row_or_file_is_fetched_again(site, tone, fetch, root):
    url = site.put("/a.mp3", body=tone(".mp3", 1.0))
    before = fetch(url)
    (root / "data/downloads/AAA/000.json").write_text("{")
    assert fetch(url) == before
    (root / before[0]["path"]).write_bytes(b"short")
    assert fetch(url) == before
    assert (root / before[0]["path"]).stat().st_size == before[0]["bytes"]


def test_a_killed_transfer_goes_on_only_for_the_same_url(site, tone, fetch, root):
    body = tone(".mp3", 2.0)
    request = Request("AAA", 0, site.put("/a.mp3", body=body))
    other = Request("AAA", 0, "http://elsewhere/a.mp3")
    assert request.part != other.part
    (root / request.part).parent.mkdir(parents=True)
    (root / other.part).with_suffix(".part").write_bytes(b"rubbish")
    (root / request.part).write_bytes(body)  # complete, but the run was killed before it was checked
    row = fetch(request.url)[0]
    assert row["status"] == "ok"
    assert (root / row["path"]).read_bytes() == body
    assert site.asked["/a.mp3"] == 1  # the look only


def test_what_left_the_corpus_is_removed(site, tone, fetch, root):
    rows = fetch(site.put("/a.mp3", body=tone(".mp3", 1.0)), site.put("/b.mp3", body=tone(".mp3", 1.0)))
    (root / FOLDER / "AAB").mkdir()
    (root / FOLDER / "AAB/000.mp3").write_bytes(b"")
    (root / FOLDER / "AAA/.part-000-0123.part").write_bytes(b"")
    (root / FOLDER / "notes.txt").write_bytes(b"")
    remove_others(root, rows[:1])
    assert {path.relative_to(root / FOLDER).as_posix() for path in (root / FOLDER).rglob("*")} == {
        "AAA", "AAA/000.mp3", "AAA/000.json", "notes.txt",
    }  # fmt: skip


def test_requests_are_numbered_by_position():
    films = [Film("AAA", "w", ("x", "y")), Film("AAB", "w", ()), Film("AAC", "w", ("x",))]
    assert [(r.fid, r.number, r.url) for r in requests_of(films)] == [("AAA", 0, "x"), ("AAA", 1, "y"), ("AAC", 0, "x")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80/a", True),
        ("http://[::1]/a", True),
        ("http://localhost/a", True),
        ("https://127.0.0.1.example/a", False),
        ("https://www.youtube.com/watch?v=x", False),
        ("ytsearch1:a title", False),
    ],
)
def test_only_this_machine_is_not_kept_waiting(url, expected):
    assert is_loopback(url) is expected
