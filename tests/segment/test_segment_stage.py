"""The stage on a folder: outputs, unchanged films, and resuming."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.sharing import unpacked
from pipeline.core.tables import DOWNLOADS, SEGMENTS, read_table, write_table
from pipeline.segment import film, films
from pipeline.segment.film import segment_film
from pipeline.segment.films import by_recording
from pipeline.segment.state import load, write_journal
from stages.segment import main
from tests.segment.sounds import music
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow


def rows(root):
    return read_table(root / "data/segments.parquet", SEGMENTS, "segment")


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in (root / "data/audio").rglob("*")
        if path.is_file()
    }


def marks(root):
    """Return a mark of each file that changes when it is rewritten."""
    return {name: ((root / name).stat().st_ino, (root / name).stat().st_mtime_ns) for name in files(root)}


def outcomes(root):
    return [(row["fid"], row["number"], row["status"]) for row in rows(root)]


def left(root):
    """Return all outputs of a run."""
    return files(root), rows(root), pq.read_schema(root / "data/segments.parquet").metadata


@pytest.fixture
def stage(tmp_path, settings):
    """Return a function that runs the stage on rows of downloads."""

    def go(downloads, processes=1, **changed):
        write_table(tmp_path / "data/downloads.parquet", downloads, DOWNLOADS)
        machine = dataclasses.replace(MACHINE, processes=processes)
        main(tmp_path, dataclasses.replace(settings, **changed), machine)

    return go


@pytest.fixture
def three(record):
    """Three films with seven pieces."""
    films = [("AAA", 0, 6), ("AAB", 0, 4), ("AAC", 0, 4)]
    return [record.samples(fid, number, music(index, seconds)) for index, (fid, number, seconds) in enumerate(films)]


def test_the_result_does_not_depend_on_the_number_of_processes(record, stage, tmp_path, caplog):
    downloads = [record("AAA", 0, [300, 300, 400]), record("AAA", 1, [500]), record("ABB", 0, [600, 700], ".m4a")]
    downloads += [record.row("ABC", 0, "", status="gone"), record.row("ABD", 0, "data/downloads/ABD/000.mp3")]
    (tmp_path / "data/audio/Z/Z/Z").mkdir(parents=True)
    (tmp_path / "data/audio/Z/Z/Z/0.mp3").write_bytes(b"of a film that left")
    with caplog.at_level(logging.INFO):
        stage(downloads)
    found = [("AAA", 0, "ok"), ("AAA", 1, "ok"), ("AAA", 2, "ok"), ("ABB", 0, "ok"), ("ABD", None, "missing")]
    assert outcomes(tmp_path) == found
    assert "recordings: 3 ok, 1 missing" in caplog.text and "segments: 4 ok, 1 missing" in caplog.text
    assert not (tmp_path / "metrics").exists()
    assert "segment: segments: " in caplog.text
    assert sorted(files(tmp_path)) == [row["path"] for row in rows(tmp_path) if row["path"]]
    assert not (tmp_path / "data/audio/Z").exists() and not (tmp_path / "data/.segments").exists()

    before = files(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()
    for processes in (3, 2):
        for name in (*before[0], "data/segments.parquet"):
            (tmp_path / name).unlink()
        stage(downloads, processes=processes)
        assert (files(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()) == before


def test_films_that_did_not_change_are_left_alone(three, record, stage, tmp_path, monkeypatch):
    stage(three)
    before, table = marks(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()
    monkeypatch.setattr(film, "mono", None)
    stage(three)
    stage(three, processes=2, min_success_rate=0.1)
    stage(list(reversed(three)))
    assert marks(tmp_path) == before and (tmp_path / "data/segments.parquet").read_bytes() == table
    monkeypatch.undo()
    stage([*three, record.samples("AAB", 1, music(7, 2))])
    after = marks(tmp_path)
    assert before.items() <= after.items() and after.keys() - before.keys() == {"data/audio/A/A/B/2.mp3"}


@pytest.mark.parametrize("changed", ["sha256", "video_url", "title", "chapters"])
def test_a_film_is_cut_anew_when_its_download_changed(changed, three, stage, tmp_path, monkeypatch):
    stage(three)
    cut = []
    original = films.segment_film
    monkeypatch.setattr(films, "segment_film", lambda *args: cut.append(args[-1].fid) or original(*args))
    new = [{"title": "t", "start_seconds": 1.0, "end_seconds": 9.0}] if changed == "chapters" else "new"
    stage([three[0], three[1] | {changed: new}, three[2]])
    assert cut == ["AAB"]


@pytest.mark.parametrize(
    "changed",
    [
        {"seconds": 1.0, "hop_seconds": 1.0}, {"hop_seconds": 1.0}, {"min_seconds": 2.0}, {"rest": "join"},
        {"silence_lufs": -20.0, "min_success_rate": 0.1}, {"duplicate_bit_errors": None}, {"max_per_film": 1},
        {"sample_rate": 16000}, {"format": "flac"}, {"bit_rate": 32000},
    ],
)  # fmt: skip
def test_other_settings_cut_again(changed, three, stage, tmp_path):
    stage(three)
    first = files(tmp_path)
    stage(three, **changed)
    again = left(tmp_path)
    for name in again[0]:
        (tmp_path / name).unlink()
    stage(three, **changed)
    assert left(tmp_path) == again  # as if cut for the first time, with numbers from the history
    if "bit_rate" in changed:
        assert again[0].keys() == first.keys() and not set(again[0].values()) & set(first.values())
    if "format" in changed:
        assert sorted(again[0]) == sorted(name.replace(".mp3", ".flac") for name in first)
    if "max_per_film" in changed:
        assert len(again[0]) == 3 and set(again[0].values()) < set(first.values())


def test_missing_files_are_rebuilt(three, stage, tmp_path):
    stage(three)
    before, untouched = left(tmp_path), marks(tmp_path)
    (tmp_path / "data/audio/A/A/A/1.mp3").unlink()
    (tmp_path / "data/audio/A/A/B/0.mp3").write_bytes(b"cut off")
    stage(three)
    assert left(tmp_path) == before
    assert {name for name, mark in marks(tmp_path).items() if untouched[name] != mark} == {
        "data/audio/A/A/A/1.mp3", "data/audio/A/A/B/0.mp3",
    }  # fmt: skip


def test_a_recording_that_was_missing_is_looked_for_again(three, stage, tmp_path):
    path = tmp_path / three[1]["path"]
    path.rename(tmp_path / "elsewhere")
    stage(three)
    assert ("AAB", None, "missing") in outcomes(tmp_path)
    (tmp_path / "elsewhere").rename(path)
    stage(three)
    assert ("AAB", 1, "ok") in outcomes(tmp_path) and len(outcomes(tmp_path)) == 7


def test_nothing_remains_of_removed_films(three, stage, tmp_path):
    stage(three)
    (tmp_path / "data/audio/A/A/A/.part-0.mp3").write_bytes(b"of a killed run")
    (tmp_path / "data/audio/notes.txt").write_bytes(b"stray")
    stage(three[:2])
    assert [fid for fid, _, _ in outcomes(tmp_path)] == ["AAA"] * 3 + ["AAB"] * 2
    assert sorted(files(tmp_path)) == [row["path"] for row in rows(tmp_path)]
    assert not (tmp_path / "data/audio/A/A/C").exists()


def test_files_of_the_cache_are_never_written_to(three, stage, tmp_path):
    """DVC may have linked them, read-only, to its cache."""
    stage(three)
    cache = {}
    for name in files(tmp_path):
        cache[name] = tmp_path / "cache" / name
        cache[name].parent.mkdir(parents=True, exist_ok=True)
        os.link(tmp_path / name, cache[name])
        cache[name].chmod(stat.S_IREAD)
    before = {name: path.read_bytes() for name, path in cache.items()}
    stage(three, bit_rate=32000)
    assert {name: path.read_bytes() for name, path in cache.items()} == before
    assert files(tmp_path).keys() == before.keys() and not set(files(tmp_path).values()) & set(before.values())


class Killed(BaseException):
    """Stands in for the end of the process."""


def test_a_killed_run_resumes(three, record, stage, tmp_path, monkeypatch):
    """The run is killed before each rename, removal and new file in turn; all pieces have the same size."""
    now = [*three[:2], record.samples("AAA", 1, music(8, 4))]
    changed = {"hop_seconds": 1.0, "max_per_film": 4}
    stage(three[:2])
    shutil.copytree(tmp_path / "data", tmp_path / "start")
    stage(now, **changed)
    expected = left(tmp_path)
    steps, moment = 0, 0

    def counted(original):
        def step(*args, **known):
            nonlocal steps
            steps += 1
            if steps == moment:
                raise Killed
            return original(*args, **known)

        return step

    while steps >= moment:
        shutil.rmtree(tmp_path / "data")
        shutil.copytree(tmp_path / "start", tmp_path / "data")
        steps, moment = 0, moment + 1
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(os, "replace", counted(os.replace))
            patch.setattr(Path, "unlink", counted(Path.unlink))
            patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
            patch.setattr(film, "write_audio", counted(film.write_audio))
            stage(now, **changed)
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
        stage(now, **changed)
        assert left(tmp_path) == expected, moment
        shutil.rmtree(tmp_path / "data")
        (tmp_path / "killed").rename(tmp_path / "data")
        stage(three[:2])  # as before: files replaced in between are not trusted
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files(tmp_path).items()}
        assert digests == {row["path"]: row["file_sha256"] for row in rows(tmp_path)}, moment
        assert not (tmp_path / "data/.segments").exists()
    assert moment > 20


def test_finished_films_of_a_killed_run_are_not_cut_again(three, stage, tmp_path, monkeypatch):
    original = film.cuts_of

    def killed_at(fid):
        def cuts_of(stream, sections, settings):
            seen.append(len(seen))
            if len(seen) > fid:
                raise Killed
            return original(stream, sections, settings)

        return cuts_of

    seen = []
    monkeypatch.setattr(film, "cuts_of", killed_at(2))
    with pytest.raises(Killed):
        stage(three)
    assert sorted(path.name for path in (tmp_path / "data/.segments").iterdir()) == ["AAA.json", "AAB.json"]
    before = marks(tmp_path)
    seen.clear()
    monkeypatch.setattr(film, "cuts_of", killed_at(1))
    stage(three)
    assert before.items() <= marks(tmp_path).items() and len(outcomes(tmp_path)) == 7


def test_a_journal_of_another_table_is_not_trusted(three, stage, tmp_path):
    """Another version was checked out after a killed run: files of the same size, but not those of the journal."""
    stage(three)
    expected, old = left(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()
    journal = load(tmp_path)[0]["AAB"]
    name = "data/audio/A/A/B/0.mp3"
    (tmp_path / name).write_bytes(files(tmp_path)[name][::-1])
    write_journal(tmp_path, "0" * 64, "AAB", dataclasses.replace(journal, digest="another"))
    write_journal(tmp_path, "0" * 64, "AAC", load(tmp_path)[0]["AAC"])
    (tmp_path / "data/.segments/AAD.json").write_text("{")
    entries, base = load(tmp_path)
    assert [entries[fid].trusted for fid in ("AAA", "AAB", "AAC")] == [True, False, True]
    assert [path.name for path in (tmp_path / "data/.segments").iterdir()] == ["AAB.json"]
    assert load(tmp_path) == (entries, base)  # still the same if this run is killed, too
    assert json.loads((tmp_path / "data/.segments/AAB.json").read_text())["base"] == base
    stage(three)
    assert left(tmp_path) == expected and (tmp_path / "data/segments.parquet").read_bytes() == old


@pytest.mark.parametrize("table", ["damaged", "of other columns", "without entries", "gone"])
def test_without_a_history_everything_is_rebuilt(table, three, stage, tmp_path):
    stage(three)
    expected, path = left(tmp_path), tmp_path / "data/segments.parquet"
    if table == "damaged":
        path.write_bytes(b"PAR1 no")
    elif table == "of other columns":
        pq.write_table(pq.read_table(path).drop_columns(["title"]), path)
    elif table == "without entries":
        write_table(path, rows(tmp_path), SEGMENTS)
    else:
        path.unlink()
    (tmp_path / "data/audio/A/A/A/0.mp3").write_bytes(b"x")
    stage(three)
    assert left(tmp_path) == expected


def test_too_few_recordings_stop_the_stage(record, stage, tmp_path):
    lost = [record.row("AAA", n, f"data/downloads/AAA/00{n}.mp3") for n in range(2)]
    with pytest.raises(StageError, match=r"segment: 1 of 3 recordings succeeded \(1 ok, 2 missing\)"):
        stage([*lost, record("AAB", 0, [300, 300, 300])])
    assert len(outcomes(tmp_path)) == 4  # the table is written nevertheless


def test_a_recording_counts_when_it_could_be_cut():
    def row(source, status):
        return {"source": source, "status": status, "reason": status}

    found = [row("a", "silent"), row("a", "surplus"), row("b", "duplicate"), row("c", "too_short"), row("c", "silent")]
    assert [(row["source"], row["status"]) for row in by_recording(found)] == [
        ("a", "ok"),
        ("b", "ok"),
        ("c", "too_short"),
    ]


def dies_at_aab(root, settings, base, film):
    if film.fid == "AAB":
        (root / "data/audio/A/A/B").mkdir(parents=True, exist_ok=True)
        (root / "data/audio/A/A/B/.part-0.mp3").touch()
        os._exit(1)
    return segment_film(root, settings, base, film)


def test_a_film_that_kills_processes_becomes_rows_and_is_retried(three, stage, tmp_path, monkeypatch):
    stage(three)
    expected = left(tmp_path)
    shutil.rmtree(tmp_path / "data/audio")
    (tmp_path / "data/segments.parquet").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(films, "segment_film", dies_at_aab)
        stage(three, processes=2, min_success_rate=0.1)
    assert {row["fid"] for row in rows(tmp_path) if row["status"] == "ok"} == {"AAA", "AAC"}
    (crashed,) = [row for row in rows(tmp_path) if row["fid"] == "AAB"]
    assert crashed["status"] == "crashed" and "machine.processes" in crashed["reason"]
    assert files(tmp_path) == {name: data for name, data in expected[0].items() if "/A/A/B/" not in name}
    stage(three, processes=2)
    assert left(tmp_path) == expected


def test_without_downloads_the_message_says_what_to_run(settings, tmp_path):
    with pytest.raises(MissingFileError, match="dvc repro download"):
        main(tmp_path, settings, MACHINE)


@pytest.mark.parametrize(("sample_rate", "bit_rate"), [(22050, 320000), (44100, 16000)])
def test_a_bit_rate_that_mp3_does_not_have_is_refused(sample_rate, bit_rate, settings):
    with pytest.raises(ValueError, match=f"bit_rate: found {bit_rate}"):
        dataclasses.replace(settings, sample_rate=sample_rate, bit_rate=bit_rate)
    dataclasses.replace(settings, sample_rate=sample_rate, bit_rate=bit_rate, format="flac")


def test_segments_that_are_kept_have_landmarks_and_keep_them(record, stage, tmp_path):
    downloads = [record.samples("AAA", 0, music(1, 9)), record.samples("AAB", 0, music(2, 9))]
    stage(downloads, max_per_film=1)
    first = rows(tmp_path)
    assert {row["status"] for row in first} == {"ok", "surplus"}
    for row in first:
        words, frames = unpacked(row["landmarks"])
        assert (len(words) > 10) == (row["status"] == "ok")
        assert (np.diff(frames.astype(int)) > 0).all()
    stage([*downloads, record.samples("AAC", 0, music(3, 9))], max_per_film=1)
    assert [row["landmarks"] for row in rows(tmp_path)[: len(first)]] == [row["landmarks"] for row in first]
