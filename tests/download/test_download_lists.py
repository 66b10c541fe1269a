"""Playlists and searches: their results are recorded once and reused."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.errors import CorpusError
from pipeline.core.files import write_bytes, write_json
from pipeline.download.answers import address_of, chapters_of, entries_of, is_list, is_live, seconds_of, title_of
from pipeline.download.client import _Downloader
from pipeline.download.lock import NAME, WRITTEN, Entry, Lock
from pipeline.download.rows import remove_others
from tests.download.conftest import WATCH
from tests.faults import in_turn, ok, status


def feed(*urls):
    """Return an answer with a feed of recordings, which yt-dlp treats as a playlist."""
    items = "".join(f"<item><title>Title {n}</title><link>{url}</link></item>" for n, url in enumerate(urls))
    return ok(f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>', "application/rss+xml")


def video(identity, **changes):
    """Return an entry of a YouTube playlist or search as yt-dlp lists it."""
    url = WATCH + identity
    entry = {"_type": "url", "ie_key": "Youtube", "id": identity, "url": url, "title": f"Video {identity}"}
    return entry | {"duration": 1112, "webpage_url": url, "extractor": "youtube", "live_status": None} | changes


def playlist(*entries):
    """Return a YouTube playlist as yt-dlp describes it."""
    page = "https://www.youtube.com/playlist?list=PLbF1amD14adXEDu"
    return {"_type": "playlist", "id": "PLbF1amD14adXEDu", "webpage_url": page, "entries": list(entries)}


@pytest.fixture
def songs(server, tone):
    """Put five different recordings on the server; return their URLs."""
    return [server.put(f"/{n}.mp3", ok(tone(".mp3", 1.0 + n / 10), "audio/mpeg")) for n in range(5)]


def test_a_playlist_is_one_row_per_recording(server, songs, fetch, root):
    album = server.put("/album", feed(*songs[:2], f"{server.origin}/none.mp3"))
    rows = fetch(songs[4], album, songs[3])
    assert [(row["number"], row["entry"], row["status"], row["path"][-10:]) for row in rows] == [
        (0, None, "ok", "AA/000.mp3"),
        (1, 0, "ok", "001-00.mp3"),
        (1, 1, "ok", "001-01.mp3"),
        (1, 2, "gone", ""),
        (2, None, "ok", "AA/002.mp3"),
    ]
    assert [row["url"] for row in rows] == [songs[4], album, album, album, songs[3]]
    assert [row["video_url"] for row in rows[1:4]] == [*songs[:2], f"{server.origin}/none.mp3"]
    assert [row["title"] for row in rows[1:4]] == ["Title 0", "Title 1", "Title 2"]
    assert rows[1]["sha256"] != rows[2]["sha256"]
    names = {path.name for path in (root / "data/downloads/AAA").iterdir()}
    remove_others(root, rows)
    assert {path.name for path in (root / "data/downloads/AAA").iterdir()} == names
    assert json.loads((root / "data/downloads/AAA/001-01.json").read_text()) == rows[2]


def test_the_recordings_of_a_playlist_are_saved(server, songs, fetch, root):
    albums = [server.put("/z", feed(songs[0])), server.put("/a", feed(songs[1]))]
    before = datetime.now(UTC).date().isoformat()
    fetch(*albums, songs[2])
    after = datetime.now(UTC).date().isoformat()
    lock = json.loads((root / WRITTEN).read_text())
    assert list(lock) == sorted(albums)  # the recording needs no entry
    assert before <= lock[albums[0]]["resolved_at"] <= after
    assert lock[albums[0]]["entries"] == [{"url": songs[0], "title": "Title 0", "seconds": None}]


def test_the_lock_is_always_reused(server, songs, fetch, root, asked):
    album = server.put("/album", feed(*songs[:2]))
    before = fetch(album)
    lock = (root / WRITTEN).read_bytes()
    asked()
    server.put("/album", feed(*songs[3:]))
    assert fetch(album) == before
    assert not asked()

    for path in (root / "data/downloads/AAA").iterdir():  # another person with the same file
        path.unlink()
    assert fetch(album) == before
    assert "/album" not in asked()
    assert (root / WRITTEN).read_bytes() == lock


def test_without_the_lock_the_list_is_resolved_again_and_files_are_kept(server, songs, fetch, root, asked):
    album = server.put("/album", feed(*songs[:3]))
    before = fetch(album)
    (root / WRITTEN).unlink()
    server.put("/album", feed(songs[0], songs[3], songs[2]))
    asked()
    after = fetch(album)
    assert set(asked()) == {"/album", "/3.mp3"}
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1]["video_url"] == songs[3] and after[1]["sha256"] != before[1]["sha256"]


def test_an_unresolvable_list_is_one_row_and_files_are_kept(server, songs, fetch, root):
    album = server.put("/album", feed(*songs[:2]))
    good = fetch(album)
    (root / WRITTEN).unlink()
    server.put("/album", status(503))
    rows = fetch(album)
    assert [(row["entry"], row["status"]) for row in rows] == [(None, "transient")]
    assert not (root / WRITTEN).exists()
    remove_others(root, rows)
    server.put("/album", feed(*songs[:2]))
    server.put("/0.mp3", status(404))  # it is no longer needed
    assert fetch(album) == good
    remove_others(root, good)
    assert not (root / "data/downloads/AAA/000.json").exists()


def test_killed_between_resolving_and_fetching(server, songs, fetch, root, asked, monkeypatch):
    album = server.put("/album", feed(*songs[:3]))

    class Killed(BaseException):
        pass

    def kill(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.download.client.Client.save", kill)
        with pytest.raises(Killed):
            fetch(album)
    assert len(Lock(root, root / "corpus").entries(album)) == 3
    asked()
    server.put("/album", feed(songs[4]))
    assert [row["video_url"] for row in fetch(album)] == songs[:3]
    assert "/album" not in asked()


def test_a_playlist_is_taken_up_to_a_number_and_each_recording_once(server, songs, fetch):
    album = server.put("/album", feed(songs[0], songs[1], songs[0], *songs[2:]))
    rows = fetch(album, max_entries=4)
    assert [row["video_url"] for row in rows] == [songs[0], songs[1], songs[2]]


def test_only_the_web_is_accepted_from_a_list(server, songs, fetch, root, tone):
    (root / "secret.mp3").write_bytes(tone(".mp3", 1.0))
    file = (root / "secret.mp3").as_uri()
    album = server.put("/album", feed(file, "ytsearch1:x", "data:audio/mpeg;base64,AAAA", songs[0]))
    assert [row["video_url"] for row in fetch(album)] == [songs[0]]
    assert file not in (root / WRITTEN).read_text()
    row = fetch(server.put("/files", feed(file)))[0]
    assert (row["entry"], row["status"]) == (None, "gone")


@pytest.mark.parametrize(
    "body",
    [
        '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><title>A</title>'
        "<location>/0.mp3</location></track><track><location>1.mp3</location></track></trackList></playlist>",
        '<html><title>x</title><body><audio src="/0.mp3"></audio><audio src="1.mp3"></audio></body></html>',
    ],
)
def test_other_kinds_of_lists_and_relative_addresses(body, server, songs, fetch):
    rows = fetch(server.put("/list", ok(body)))
    found = [(row["entry"], row["video_url"], row["status"]) for row in rows]
    assert found == [(0, songs[0], "ok"), (1, songs[1], "ok")]


def test_a_list_inside_a_list_is_skipped(server, songs, fetch):
    inner = server.put("/inner", feed(songs[0]))
    rows = fetch(server.put("/outer", feed(inner, songs[1])))
    assert [(row["entry"], row["status"]) for row in rows] == [(0, "skipped"), (1, "ok")]
    assert "list inside a list" in rows[0]["reason"]


def test_two_films_with_one_search_ask_once(web, fetch, root, settings):
    item = "ytsearch1:Metropolis 1927 soundtrack"
    web.found[item] = playlist(video("aaaaaaaaaaa"))
    web.recording("aaaaaaaaaaa")
    rows = fetch(item, item, request_pause_seconds=0.0)
    assert [(row["number"], row["entry"], row["status"]) for row in rows] == [(0, 0, "ok"), (1, 0, "ok")]
    assert web.asked[item] == 1


def test_a_search_of_youtube(web, fetch, root):
    item = "ytsearch2:Metropolis"
    unavailable = Exception("ERROR: [youtube] bbb: Video unavailable. This video has been removed by the uploader")
    web.found |= {item: playlist(video("aaaaaaaaaaa"), video("bbbbbbbbbbb")), WATCH + "bbbbbbbbbbb": unavailable}
    chapters = [{"title": "II", "start_time": 0.5, "end_time": 9.0}, {"title": "I", "start_time": 0, "end_time": 0.5}]
    web.recording("aaaaaaaaaaa", chapters=chapters)
    first, second = fetch(item)
    assert (first["status"], first["url"], first["video_url"]) == ("ok", item, WATCH + "aaaaaaaaaaa")
    assert first["path"] == "data/downloads/AAA/000-00.webm"
    assert first["chapters"] == [
        {"title": "I", "start_seconds": 0.0, "end_seconds": 0.5},
        {"title": "II", "start_seconds": 0.5, "end_seconds": 1.0},
    ]
    assert json.loads((root / "data/downloads/AAA/000-00.json").read_text()) == first
    assert (second["status"], second["entry"], second["video_url"]) == ("gone", 1, WATCH + "bbbbbbbbbbb")
    assert second["title"] == "Video bbbbbbbbbbb" and second["chapters"] == []
    entries = [{"url": WATCH + key * 11, "title": f"Video {key * 11}", "seconds": 1112.0} for key in "ab"]
    assert json.loads((root / WRITTEN).read_text())[item]["entries"] == entries
    asked = dict(web.asked)
    fetch(item)
    assert dict(web.asked) == asked


def test_searches_and_recordings_alternate(web, fetch):
    """A thousand searches at the pace of requests would be refused."""
    searches = [f"ytsearch1:{key}" for key in "abc"]
    for item in searches:
        web.found[item] = playlist(video(item[-1] * 11))
        web.recording(item[-1] * 11)
    fetch(*searches)
    assert list(web.asked) == [step for item in searches for step in (item, WATCH + item[-1] * 11)]


def test_a_search_is_not_cut_to_the_size_of_playlists(web, fetch):
    item = "ytsearch7:Metropolis"
    limits = []
    web.found[item] = playlist(*(video(f"{n:011d}") for n in range(7)))
    for n in range(7):
        web.recording(f"{n:011d}")
    original = _Downloader.extract_info
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            _Downloader,
            "extract_info",
            lambda ydl, url, download: limits.append(ydl.params["playlistend"]) or original(ydl, url, download),
        )
        assert len(fetch(item, max_entries=3)) == 7
    assert limits == [None] + [3] * 7


@pytest.mark.parametrize("answer", [None, playlist(), playlist(None, {"_type": "url", "url": "file:///etc/passwd"})])
def test_a_search_that_finds_nothing(answer, web, fetch, root):
    item = "ytsearch1:zxcvbnm"
    web.found[item] = answer
    assert [(row["entry"], row["status"], row["video_url"]) for row in fetch(item)] == [(None, "gone", "")]
    fetch(item)
    assert web.asked[item] == 1
    assert not (root / WRITTEN).exists()


def test_recordings_that_need_cookies_are_requested_again_with_cookies(web, fetch, root):
    url = WATCH + "aaaaaaaaaaa"
    web.found[url] = Exception("ERROR: [youtube] aaa: Sign in to confirm your age")
    (root / "cookies.txt").write_text("# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t0\tA\tb\n")
    assert fetch(url)[0]["status"] == "gone"
    fetch(url)
    assert web.asked[url] == 1
    assert fetch(url, cookies="cookies.txt")[0]["status"] == "gone"
    fetch(url, cookies="cookies.txt")
    assert web.asked[url] == 2


def test_a_live_stream_is_asked_again_by_the_next_run(web, fetch):
    url = WATCH + "aaaaaaaaaaa"
    web.recording("aaaaaaaaaaa", live_status="is_upcoming")
    assert fetch(url)[0]["status"] == "skipped"
    web.recording("aaaaaaaaaaa", live_status="was_live")
    assert fetch(url)[0]["status"] == "ok"


def test_a_recording_with_too_large_a_stated_size_is_not_started(web, fetch, asked):
    web.recording("aaaaaaaaaaa", filesize=1_000_001)
    row = fetch(WATCH + "aaaaaaaaaaa")[0]
    assert row["status"] == "skipped" and "max_bytes" in row["reason"]
    assert not asked()


def test_the_pauses_are_asked_for_outside_loopback(web, fetch):
    item = "ytsearch2:Metropolis"
    web.found[item] = playlist(video("aaaaaaaaaaa"), video("bbbbbbbbbbb"))
    for key in "ab":
        web.recording(key * 11)
    fetch(item, video_pause_seconds=12.0)
    assert fetch.breaker.pauses == [pytest.approx(12.0, abs=2.0)]  # between the recordings, not after the search


# The shapes of answers


def test_entries_of_a_youtube_playlist():
    listed = playlist(
        video("aaaaaaaaaaa"),
        None,
        "rubbish",
        video("bbbbbbbbbbb", url="bbbbbbbbbbb", webpage_url=None, duration=None),
        video("ccccccccccc", title=None, duration=float("nan")),
        video("ddddddddddd", url="file:///etc/passwd", webpage_url=None),
        video("aaaaaaaaaaa"),
        {"_type": "playlist", "entries": [video("eeeeeeeeeee", title="a\x00b\ud800\n c")]},
    )
    assert entries_of(listed) == [
        Entry(WATCH + "aaaaaaaaaaa", "Video aaaaaaaaaaa", 1112.0),
        Entry(WATCH + "bbbbbbbbbbb", "Video bbbbbbbbbbb", None),
        Entry(WATCH + "ccccccccccc", "", None),
        Entry(WATCH + "eeeeeeeeeee", "a b c", 1112.0),
    ]


@pytest.mark.parametrize(
    ("chapters", "expected"),
    [
        (None, []),
        ("rubbish", []),
        ([None, 3, {}, {"start_time": "0", "end_time": 5}, {"start_time": 0, "end_time": "5"}], []),
        ([{"title": "a", "start_time": 0, "end_time": None}], [("a", 0.0, 10.0)]),
        (
            [{"title": "c", "start_time": 6}, {"title": "a", "start_time": 0}, {"title": "b", "start_time": 2.5}],
            [("a", 0.0, 2.5), ("b", 2.5, 6.0), ("c", 6.0, 10.0)],
        ),
        ([{"title": "late", "start_time": 10, "end_time": None}], []),
        ([{"start_time": 5, "end_time": 5}, {"start_time": 10, "end_time": 20}, {"start_time": -1, "end_time": 3}], []),
        ([{"start_time": float("nan"), "end_time": 5}, {"start_time": True, "end_time": 5}], []),
        ([{"title": None, "start_time": 8, "end_time": float(20)}], [("", 8.0, 10.0)]),
        (
            [{"title": "b\n", "start_time": 3, "end_time": 6}, {"title": "a", "start_time": 0.0, "end_time": 3.5}],
            [("a", 0.0, 3.5), ("b", 3.0, 6.0)],
        ),
    ],
)
def test_chapters(chapters, expected):
    found = chapters_of({"chapters": chapters}, 10.0)
    assert [(chapter["title"], chapter["start_seconds"], chapter["end_seconds"]) for chapter in found] == expected


def test_a_flat_playlist_entry_in_full():
    """With the keys of yt-dlp 2025.08: most are null, and they include the list's own page."""
    page = "https://www.youtube.com/playlist?list=PLbF1amD14adXEDu"
    nothing = ("description", "timestamp", "release_timestamp", "availability", "live_status", "n_entries")
    entry = dict.fromkeys(nothing) | {
        **{"_type": "url", "ie_key": "Youtube", "id": "a-b_c1d2e3f", "url": WATCH + "a-b_c1d2e3f"},
        **{"title": "  夜の船 (Main\u00a0Theme)\n", "duration": 252, "duration_string": "4:12", "view_count": 468},
        **{"channel": "らっだぁ", "channel_url": "https://www.youtube.com/channel/UC0", "uploader_id": "@x"},
        **{"thumbnails": [{"url": "https://i.ytimg.com/vi/a-b_c1d2e3f/hqdefault.jpg", "height": 94, "width": 168}]},
        **{"webpage_url": WATCH + "a-b_c1d2e3f", "original_url": WATCH + "a-b_c1d2e3f", "extractor": "youtube"},
        **{"webpage_url_basename": "watch", "extractor_key": "Youtube", "playlist": "夜", "playlist_webpage_url": page},
        **{"playlist_index": 1, "__last_playlist_index": 0, "epoch": 1757671377, "_version": {"version": "2025.08.27"}},
    }
    assert entries_of(playlist(entry)) == [Entry(WATCH + "a-b_c1d2e3f", "夜の船 (Main Theme)", 252.0)]


def test_chapters_of_a_recording_in_full():
    """The last one ends after the end of the fetched file, as chapters of long streams do."""
    chapters = [
        {"start_time": 0.0, "title": "Intro", "end_time": 31.0},
        {"start_time": 31.0, "title": "Ferry & Fog - 夜 (Extended\u00a0Mix)", "end_time": 329.5},
        {"start_time": 329.5, "title": "<Untitled Chapter 3>", "end_time": 7206},
    ]
    formats = [{"format_id": "sb2", "acodec": "none", "ext": "mhtml"}, {"format_id": "251", "acodec": "opus"}]
    info = {
        **{"id": "a-b_c1d2e3f", "title": "A night of ferries", "duration": 7205, "duration_string": "2:00:05"},
        **{"webpage_url": WATCH + "a-b_c1d2e3f", "ext": "webm", "acodec": "opus", "asr": 48000, "formats": formats},
        **{"is_live": False, "was_live": True, "live_status": "was_live", "playlist": None, "_has_drm": None},
        **{"chapters": chapters, "filesize_approx": 311407609, "requested_subtitles": None, "age_limit": 0},
    }
    assert chapters_of(info, info["duration"]) == [
        {"title": "Intro", "start_seconds": 0.0, "end_seconds": 31.0},
        {"title": "Ferry & Fog - 夜 (Extended Mix)", "start_seconds": 31.0, "end_seconds": 329.5},
        {"title": "<Untitled Chapter 3>", "start_seconds": 329.5, "end_seconds": 7205},
    ]
    assert (title_of(info), seconds_of(info)) == ("A night of ferries", 7205.0)
    assert address_of(info, "ytsearch1:ferries") == WATCH + "a-b_c1d2e3f"
    assert not is_list(info) and not is_live(info)


# The file


def test_the_lock_keeps_what_it_held(root):
    entries = [{"url": "https://example.org/a", "title": "A", "seconds": 3}]
    other = {"zzz": {"resolved_at": "2020-01-01", "entries": entries}}
    write_json(root / WRITTEN, other)
    Lock(root, root / "corpus").record("aaa", [Entry("https://example.org/b", "", None)])
    lock = json.loads((root / WRITTEN).read_text())
    assert list(lock) == ["aaa", "zzz"] and lock["zzz"] == other["zzz"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", lock["aaa"]["resolved_at"])
    assert Lock(root, root / "corpus").entries("zzz") == [Entry("https://example.org/a", "A", 3)]


def test_the_first_answer_counts(root):
    lock = Lock(root, root / "corpus")
    first = [Entry("https://example.org/a", "", None)]
    assert lock.record("x", first) == first
    assert lock.record("x", [Entry("https://example.org/b", "", None)]) == first


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"a": []}',
        '{"a": {"resolved_at": "2026-01-01"}}',
        '{"a": {"resolved_at": 3, "entries": [{"url": "https://example.org/", "title": "", "seconds": null}]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": []}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": ["https://example.org/"]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": [{"url": "file:///etc/passwd", "title": "", "seconds": 1}]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": [{"url": "{origin}/a.mp3", "title": "", "seconds": 1}]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": [{"url": "ytsearch1:x", "title": "", "seconds": 1}]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": [{"url": "https://example.org/", "title": 1, "seconds": 1}]}}',
        '{"a": {"resolved_at": "2026-01-01", "entries": [{"url": "https://example.org", "title": "", "seconds": ""}]}}',
    ],
)
@pytest.mark.parametrize("path", [WRITTEN, Path("corpus") / NAME])
def test_a_lock_of_another_shape_is_an_error_of_the_corpus(text, path, root):
    write_bytes(root / path, text.encode())
    with pytest.raises(CorpusError, match=r"soundtrack\.lock\.json.*remove it"):
        Lock(root, root / "corpus")


def test_a_playlist_can_come_and_go(server, songs, fetch, root):
    """The same address is first a list and then, without the lock, a recording."""
    url = server.put("/a", in_turn(feed(*songs[:2]), ok(b"", "audio/mpeg")))
    rows = fetch(url)
    assert [row["entry"] for row in rows] == [0, 1]
    (root / WRITTEN).unlink()
    server.put("/a", server.answers["/3.mp3"])
    rows = fetch(url)
    remove_others(root, rows)
    assert [(row["entry"], row["status"]) for row in rows] == [(None, "ok")]
    assert {path.name for path in (root / "data/downloads/AAA").iterdir()} == {"000.json", "000.mp3"}
