import json
import logging

import pytest

from pipeline.errors import CorpusError, StageError
from pipeline.sections import Corpus
from pipeline.tables import DOWNLOADS, read_table
from stages.download import main

CORPUS = Corpus(folder="data/sample", serve="site", contact=None)


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
    assert "2 ok, 1 gone" in caplog.text
    first = {path: path.stat().st_mtime_ns for path in (root / "data/downloads").rglob("*.[wm]*")}
    table = (root / "data/downloads.parquet").read_bytes()
    main(root, CORPUS, settings)  # on another port
    assert (root / "data/downloads.parquet").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in first} == first


def test_audio_that_the_corpus_makes_anew_is_fetched_anew(corpus, root, settings, tone):
    corpus(AAA=["{origin}/audio/a.webm", "{origin}/audio/b.m4a"])
    main(root, CORPUS, settings)
    before = rows(root)
    (root / "data/sample/site/audio/a.webm").write_bytes(tone(".ogg", 2.0))
    (root / "data/sample/site/audio/b.m4a").unlink()
    main(root, CORPUS, settings)
    changed, gone = rows(root)
    assert changed["sha256"] != before[0]["sha256"] and changed["path"] == "data/downloads/AAA/000.ogg"
    assert gone["status"] == "gone"
    assert {path.name for path in (root / "data/downloads/AAA").iterdir()} == {"000.ogg", "000.json", "001.json"}


def test_films_that_leave_the_corpus_leave_the_folder(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"], AAB=["{origin}/audio/b.m4a"])
    main(root, CORPUS, settings)
    corpus(AAB=["{origin}/audio/b.m4a"])
    main(root, CORPUS, settings)
    assert [path.name for path in (root / "data/downloads").iterdir()] == ["AAB"]
    assert [row["fid"] for row in rows(root)] == ["AAB"]


def test_too_few_recordings_stop_the_stage_after_the_table_is_written(corpus, root, settings):
    corpus(AAA=["{origin}/audio/none.webm"])
    with pytest.raises(StageError, match=r"0 of 1 URLs succeeded \(1 gone\).*\n.*AAA.*404"):
        main(root, CORPUS, settings)
    assert [row["status"] for row in rows(root)] == ["gone"]


def test_an_origin_without_a_server_is_an_error_of_the_corpus(corpus, root, settings):
    corpus(AAA=["{origin}/audio/a.webm"])
    with pytest.raises(CorpusError, match=r"corpus\.serve"):
        main(root, Corpus(folder="data/sample", serve=None, contact=None), settings)
