import json
import logging
import shutil
from dataclasses import replace

import pytest

from pipeline.core.errors import CorpusError, StageError
from pipeline.core.tables import DOWNLOADS, read_table
from pipeline.corpus.section import Corpus
from stages.download import main
from tests.faults import ok, status

CORPUS = Corpus(folder="data/sample", serve="site", contact=None, search="ytsearch1:{title}", fields={})


@pytest.fixture
def corpus(root, tone):
    """Write a corpus with a served site; return a function that changes its films."""
    site = root / "data/sample/site/audio"
    site.mkdir(parents=True)
    (site / "a.webm").write_bytes(tone(".webm", 1.0))
    (site / "b.m4a").write_bytes(tone(".m4a", 1.0))

    def films(**soundtracks):
        entries = {fid: {"wikipedia": "{origin}/wiki/X", "soundtrack": urls} for fid, urls in soundtracks.items()}
        (root / "data/sample/meta.json").write_text(json.dumps(entries))

    return films


def rows(root):
    return read_table(root / "data/downloads.parquet", DOWNLOADS, "download")


def test_a_served_corpus(corpus, root, settings, caplog):
    corpus(AAB=["{origin}/audio/b.m4a", "{origin}/audio/none.mp3"], AAA=["{origin}/audio/a.webm"], AAC=[])
    with caplog.at_level(logging.INFO):
        main(root, CORPUS, settings)
    found = [(row["fid"], row["number"], row["status"], row["path"], row["url"]) for row in rows(root)]
    assert found == [
        ("AAA", 0, "ok", "data/downloads/AAA/000.webm", "{origin}/audio/a.webm"),
        ("AAB", 0, "ok", "data/downloads/AAB/000.m4a", "{origin}/audio/b.m4a"),
        ("AAB", 1, "gone", "", "{origin}/audio/none.mp3"),
    ]
    assert [row["video_url"] for row in rows(root)] == ["{origin}/audio/a.webm", "{origin}/audio/b.m4a", ""]
    assert "2 ok, 1 gone" in caplog.text
    assert json.loads((root / "data/soundtrack.lock.json").read_text()) == {}
    first = {path: path.stat().st_mtime_ns for path in (root / "data/downloads").rglob("*.*")}
    table = (root / "data/downloads.parquet").read_bytes()
    main(root, CORPUS, settings)  # on another port
    assert (root / "data/downloads.parquet").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in (root / "data/downloads").rglob("*.*")} == first


def test_changed_audio_of_the_corpus_is_fetched_again(corpus, root, settings, tone):
    corpus(AAA=["{origin}/audio/a.webm", "{origin}/audio/b.m4a", "{origin}/audio/new.webm"])
    main(root, CORPUS, settings)
    before = rows(root)
    site = root / "data/sample/site/audio"
    (site / "a.webm").write_bytes(tone(".ogg", 2.0))
    (site / "b.m4a").unlink()
    (site / "new.webm").write_bytes(tone(".webm", 1.0))
    main(root, CORPUS, settings)
    changed, gone, new = rows(root)
    assert changed["sha256"] != before[0]["sha256"] and changed["path"] == "data/downloads/AAA/000.ogg"
    assert (gone["status"], before[2]["status"], new["status"]) == ("gone", "gone", "ok")
    names = {"000.ogg", "000.json", "001.json", "002.webm", "002.json"}
    assert {path.name for path in (root / "data/downloads/AAA").iterdir()} == names


def test_recordings_of_removed_films_are_deleted(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"], AAB=["{origin}/audio/b.m4a"])
    main(root, CORPUS, settings)
    corpus(AAB=["{origin}/audio/b.m4a"])
    main(root, CORPUS, settings)
    assert [path.name for path in (root / "data/downloads").iterdir() if path.is_dir()] == ["AAB"]
    assert [row["fid"] for row in rows(root)] == ["AAB"]


def test_another_corpus_and_back_keeps_the_recordings_of_both(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"])
    main(root, CORPUS, settings)
    (root / "data/audio/A/A/A").mkdir(parents=True)  # as `segment` cuts them
    (root / "data/audio/A/A/A/0.mp3").write_bytes(b"sound")
    (root / "data/segments.parquet").write_bytes(b"table")
    before = {path: path.stat().st_mtime_ns for path in (root / "data/downloads").rglob("*.*")}
    shutil.copytree(root / "data/sample", root / "data/other")
    (root / "data/other/meta.json").write_text(
        json.dumps({"AAA": {"wikipedia": "{origin}/wiki/X", "soundtrack": ["{origin}/audio/b.m4a"]}})
    )
    main(root, replace(CORPUS, folder="data/other"), settings)
    assert [row["path"] for row in rows(root)] == ["data/downloads/AAA/000.m4a"]
    assert not (root / "data/audio").exists() and not (root / "data/segments.parquet").exists()
    main(root, CORPUS, settings)
    assert [row["path"] for row in rows(root)] == ["data/downloads/AAA/000.webm"]
    assert {path: path.stat().st_mtime_ns for path in (root / "data/downloads").rglob("*.*")} == before
    assert (root / "data/audio/A/A/A/0.mp3").read_bytes() == b"sound"
    assert (root / "data/segments.parquet").read_bytes() == b"table"


def test_a_list_among_the_corpus_s_own_files_is_not_a_recording(corpus, root, settings):
    corpus(AAA=["{origin}/audio/album.xspf", "{origin}/audio/a.webm"])
    (root / "data/sample/site/audio/album.xspf").write_text(
        '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        "<track><location>a.webm</location></track></trackList></playlist>"
    )
    main(root, CORPUS, settings)
    assert [(row["entry"], row["status"]) for row in rows(root)] == [(None, "skipped"), (None, "ok")]
    assert json.loads((root / "data/soundtrack.lock.json").read_text()) == {}


def test_the_resolved_playlist_is_an_output(corpus, root, settings, server, tone):
    song = server.put("/song.mp3", ok(tone(".mp3", 1.0), "audio/mpeg"))
    item = f"<item><title>Song</title><link>{song}</link></item>"
    album = server.put("/album", ok(f'<?xml version="1.0"?><rss><channel>{item}</channel></rss>'))
    corpus(AAA=["{origin}/audio/a.webm", album])
    main(root, CORPUS, settings)
    assert [(row["entry"], row["status"], row["title"]) for row in rows(root)][1] == (0, "ok", "Song")
    assert list(json.loads((root / "data/soundtrack.lock.json").read_text())) == [album]
    assert not (root / "data/sample/soundtrack.lock.json").exists()


def test_a_given_lock_is_read_and_left_unchanged(corpus, root, settings, server, tone):
    songs = [server.put(f"/{n}.mp3", ok(tone(".mp3", 1.0 + n / 10), "audio/mpeg")) for n in range(2)]
    items = [f"<item><title>Song</title><link>{song}</link></item>" for song in songs]
    albums = [server.put(f"/{n}", ok(f'<?xml version="1.0"?><rss><channel>{items[0]}</channel></rss>')) for n in "ab"]
    corpus(AAA=albums)
    main(root, CORPUS, settings)
    assert [row["video_url"] for row in rows(root)] == [songs[0]] * 2
    entry = {"url": songs[1], "title": "Of somebody else", "seconds": None}
    given = json.dumps({albums[1]: {"resolved_at": "2026-01-01", "entries": [entry]}})
    (root / "data/sample/soundtrack.lock.json").write_text(given)
    server.forget()
    main(root, CORPUS, settings)
    assert [row["video_url"] for row in rows(root)] == songs
    assert set(server.paths()) == {"/1.mp3"}
    assert (root / "data/sample/soundtrack.lock.json").read_text() == given
    written = json.loads((root / "data/soundtrack.lock.json").read_text())
    assert list(written) == albums and written[albums[1]]["entries"] == [entry]


def test_refusals_stop_the_stage_after_the_table_is_written(corpus, root, settings, server, tone, caplog):
    refused = [server.put(f"/{n}", status(429)) for n in range(5)]
    corpus(AAA=["{origin}/audio/a.webm"], AAB=refused)
    with caplog.at_level(logging.INFO), pytest.raises(StageError, match=r"(?s)429.*1 of 6.*5 remain.*dvc repro"):
        main(root, CORPUS, settings)
    assert [row["status"] for row in rows(root)] == ["ok"] + ["blocked"] * 5
    assert "1 ok, 5 blocked" in caplog.text
    assert (root / "data/downloads/AAA/000.webm").is_file()
    for n in range(5):
        server.put(f"/{n}", ok(tone(".mp3", 1.0), "audio/mpeg"))
    main(root, CORPUS, settings)
    assert [row["status"] for row in rows(root)] == ["ok"] * 6


def test_too_few_recordings_stop_the_stage_after_the_table_is_written(corpus, root, settings):
    corpus(AAA=["{origin}/audio/none.webm"])
    with pytest.raises(
        StageError, match=r"(?s)0 of 1 recordings succeeded \(1 gone\).*AAA.*404.*`download\.retry`.*gone"
    ):
        main(root, CORPUS, settings)
    assert [row["status"] for row in rows(root)] == ["gone"]
    assert (root / "data/downloads.parquet").is_file()


def test_an_origin_without_a_server_is_an_error_of_the_corpus(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"])
    with pytest.raises(CorpusError, match=r"corpus\.serve"):
        main(root, Corpus(folder="data/sample", serve=None, contact=None, search=CORPUS.search, fields={}), settings)


def test_a_broken_lock_is_named_before_any_request(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"])
    (root / "data/sample/soundtrack.lock.json").write_text("{")
    with pytest.raises(CorpusError, match=r"soundtrack\.lock\.json is not JSON"):
        main(root, CORPUS, settings)
