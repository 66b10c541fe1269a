"""A library built, updated, and completed after a killed run."""

import json
import os
import shutil
import unicodedata
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.apps.library import decode, embed, identify, indexing, table, tracks, walk
from pipeline.apps.library import segments as segments_module
from pipeline.apps.library.indexing import update_library
from pipeline.apps.library.library import open_library
from pipeline.apps.library.report import Summary
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.errors import MissingFileError, ModelError, StageError
from pipeline.core.files import sha256_of, write_json
from pipeline.core.tables import read_table, write_table
from pipeline.media import sandbox
from pipeline.media.audio import write_mp3
from tests.apps.library.world import AUDIO, LIBRARY, fill, music, train
from tests.media.misbehaving import crashing, eating, hanging
from tests.segment.sounds import RATE, write

pytestmark = pytest.mark.slow


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def update(root, settings, folder, out):
    """Return a function that updates the library of `folder`."""

    def update(variants: list[str] | None = None, **changes) -> Summary:
        return update_library(root, replace(settings, **changes), folder, out, variants)

    return update


@pytest.fixture
def known(indexed_once, folder, out) -> Path:
    """The library of `folder` after a first run."""
    shutil.copytree(indexed_once, out)
    write_json(out / "library.json", json.loads((out / "library.json").read_text()) | {"folder": str(folder)})
    rows = read_table(out / "files.parquet", table.FILES, "")
    rows = [row | {"changed_ns": (folder / row["path"]).stat().st_ctime_ns} for row in rows]  # lost by copying
    write_table(out / "files.parquet", rows, table.FILES)
    return out


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the files whose digests are computed from now on."""
    names: list[str] = []
    sha256_of = identify.sha256_of
    monkeypatch.setattr(identify, "sha256_of", lambda path: names.append(path.name) or sha256_of(path))
    return names


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.changes


def files(out: Path) -> dict[str, dict]:
    return {row["path"]: row for row in read_table(out / "files.parquet", table.FILES, "")}


def tables(out: Path) -> dict[str, bytes]:
    """Return the files of a library without its cache."""
    found = (path for path in out.rglob("*") if path.is_file() and ".cache" not in path.relative_to(out).parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


def stripped(out: Path) -> dict[str, object]:
    """Return `tables` without the name of the folder, and rows of files without what differs between copies."""
    rows = [row | {"changed_ns": None} for row in files(out).values()]
    return {name: data for name, data in tables(out).items() if name != "library.json"} | {"files.parquet": rows}


def segments(out: Path, variant: str = "Words") -> list[dict]:
    return pq.read_table(out / f"tracks/{variant}.parquet").to_pylist()


def vectors(out: Path, variant: str = "Words") -> dict[tuple[str, int], np.ndarray]:
    return {(row["path"], row["number"]): np.array(row["vector"]) for row in segments(out, variant)}


def test_rows_of_files_and_segments(update, folder, out):
    summary = update()
    assert counts(summary) == (4, 0, 0, 0)
    assert summary.segments == {"Story": 6, "Words": 6}
    found = files(out)
    assert list(found) == sorted(LIBRARY)
    row = found["Dawn/02 calm.mp3"]
    stat = (folder / "Dawn/02 calm.mp3").stat()
    assert (row["status"], row["reason"], row["seconds"], row["segments"]) == ("ok", "", 13.0, 3)
    assert (row["bytes"], row["modified_ns"]) == (stat.st_size, stat.st_mtime_ns)
    assert (row["title"], row["artist"], row["album"], row["year"]) == ("02 calm", "", "Dawn", None)
    assert found["single.mp3"]["album"] == "", "loose at the top it is of none"
    names = ("path", "number", "file_start_seconds", "start_seconds", "seconds", "film", "title")
    assert [tuple(segment[name] for name in names) for segment in segments(out)] == [
        ("Dawn/01 storm.mp3", 0, 0.0, 0.0, 5.0, "Dawn", "01 storm"),
        ("Dawn/02 calm.mp3", 0, 0.0, 0.0, 5.0, "Dawn", "02 calm"),
        ("Dawn/02 calm.mp3", 1, 5.0, 5.0, 5.0, "Dawn", "02 calm"),
        ("Dawn/02 calm.mp3", 2, 10.0, 10.0, 3.0, "Dawn", "02 calm"),
        ("Dusk/fire.mp3", 0, 0.0, 0.0, 5.0, "Dusk", "fire"),
        ("single.mp3", 0, 0.0, 0.0, 2.0, "", "single"),
    ]
    assert [segment["recording_seconds"] for segment in segments(out)] == [6.0, 13.0, 13.0, 13.0, 5.5, 2.0]
    unknown = ("fid", "split", "artist", "url", "source_url")
    assert {segment[name] for segment in segments(out) for name in unknown} == {""}


def test_nothing_changed_nothing_is_read_or_written(update, known, heard, read, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in known.rglob("*")}
    monkeypatch.setattr(embed, "load_model", lambda folder: pytest.fail("nothing is to be embedded"))
    assert counts(update()) == (0, 0, 4, 0)
    assert (heard, read) == ([], [])
    named = {path: time for path, time in before.items() if path != known / "library.json"}
    assert {path: path.stat().st_mtime_ns for path in named} == named


def test_new_changed_renamed_touched_and_removed_files(update, known, folder, heard, read):
    before = vectors(known)
    fill(folder, {"new.mp3": (9, 2.5), "Dusk/fire.mp3": (10, 5.5)})
    (folder / "single.mp3").rename(folder / "alone.mp3")
    os.utime(folder / "Dawn/01 storm.mp3", ns=(0, 0))
    (folder / "Dawn/02 calm.mp3").unlink()
    assert counts(update()) == (2, 2, 0, 2)
    assert sorted(read) == ["01 storm.mp3", "alone.mp3", "fire.mp3", "new.mp3"]
    assert sorted(heard) == ["fire.mp3", "new.mp3"], "what is known by its content is not decoded again"
    after = vectors(known)
    assert list(after) == [("Dawn/01 storm.mp3", 0), ("Dusk/fire.mp3", 0), ("alone.mp3", 0), ("new.mp3", 0)]
    assert np.array_equal(after["alone.mp3", 0], before["single.mp3", 0])
    assert np.array_equal(after["Dawn/01 storm.mp3", 0], before["Dawn/01 storm.mp3", 0])
    assert not np.allclose(after["Dusk/fire.mp3", 0], before["Dusk/fire.mp3", 0], atol=1e-4)
    heard.clear()
    assert counts(update()) == (0, 0, 4, 0)
    assert heard == []


def test_an_update_equals_a_first_run(update, known, root, settings, folder, tmp_path):
    fill(folder, {"new.mp3": (9, 2.5)})
    (folder / "single.mp3").unlink()
    update()
    update_library(root, settings, folder, tmp_path / "anew", None)
    assert tables(known) == tables(tmp_path / "anew")


def test_a_restored_file_and_a_copy_are_not_decoded_again(update, known, folder, heard):
    (folder / "single.mp3").rename(folder / "aside")
    update()
    (folder / "aside").rename(folder / "Dusk/single.mp3")
    shutil.copyfile(folder / "Dusk/single.mp3", folder / "copy.mp3")
    assert update().segments["Words"] == 7
    assert heard == []
    found = vectors(known)
    assert np.array_equal(found["copy.mp3", 0], found["Dusk/single.mp3", 0])


def test_a_retrained_model_embeds_again_without_decoding(update, known, root, heard):
    before = stripped(known)
    train(root, "Words", ["tags"], seed=7)
    update()
    after = stripped(known)
    assert {name for name in after if after[name] != before[name]} == {"tracks/Words.parquet"}
    assert heard == []
    models = trained_models(root)
    assert open_library(known).index(models["Words"]).about["model"] == models["Words"].digest


def test_a_new_model_is_added_and_one_that_is_gone_is_removed(update, known, root, heard):
    train(root, "Still", ["image"])
    shutil.rmtree(root / "models/Story")
    assert list(update().segments) == ["Still", "Words"]
    assert sorted(path.name for path in (known / "tracks").iterdir()) == ["Still.parquet", "Words.parquet"]
    assert open_library(known).variants == ("Still", "Words")
    assert heard == []


def test_only_the_variants_that_are_asked_for(update, out, heard):
    assert list(update(["Words"]).segments) == ["Words"]
    assert [path.name for path in (out / "tracks").iterdir()] == ["Words.parquet"]
    heard.clear()
    assert list(update(["Words", "Story", "Words"]).segments) == ["Words", "Story"]
    assert heard == []
    for wrong, message in (
        (["Nope"], "found 'Nope', allowed are the trained variants Story, Words"),
        ([], "--variants: found none"),
        ([""], "found ''"),
    ):
        with pytest.raises(ModelError, match=message):
            update(wrong)


def test_models_of_other_features_have_their_own(update, root, settings, folder, out, heard):
    """Each model's vectors are the same as without other models."""
    other = replace(AUDIO, sample_rate=16000, n_mels=12, f_max=8000.0, dtype="uint8")
    train(root, "Other", ["tags"], audio=other)
    update()
    assert sorted(heard) == sorted(2 * [Path(name).name for name in LIBRARY])
    for variant in ("Other", "Words"):
        update_library(root, settings, folder, out.parent / variant, [variant])
        alone = vectors(out.parent / variant, variant)
        assert {key: vector.tobytes() for key, vector in vectors(out, variant).items()} == {
            key: vector.tobytes() for key, vector in alone.items()
        }


def test_changed_segment_settings_decode_again(update, known, settings, heard):
    update(segment=replace(settings.segment, seconds=4.0, hop_seconds=4.0, bit_rate=64000))
    assert len(heard) == len(LIBRARY)
    assert [segment["start_seconds"] for segment in segments(known)] == [0.0, 4.0, 0.0, 4.0, 8.0, 0.0, 0.0]
    update(segment=replace(settings.segment, bit_rate=64000))
    assert len(heard) == len(LIBRARY), "going back computes nothing"


def test_broken_files_are_always_listed_and_decoded_once(update, folder, out, heard):
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.ogg").write_text("no music " * 1000)
    write_mp3(folder / "silent.mp3", np.zeros(6 * RATE, np.int16), RATE, 96000)
    write_mp3(folder / "short.mp3", music(1, 0.5), RATE, 96000)
    (folder / "out.mp3").symlink_to("/etc/hostname")
    expected = {"empty.mp3": "corrupt", "text.ogg": "corrupt", "silent.mp3": "silent", "short.mp3": "too_short"}
    expected["out.mp3"] = "outside"
    for _ in range(2):
        summary = update()
        wrong = {row["path"]: row for row in summary.rows if row["status"] != "ok"}
        assert {path: row["status"] for path, row in wrong.items()} == expected
        assert all(row["reason"] and row["segments"] == 0 for row in wrong.values())
        assert summary.segments["Words"] == 6
    assert len(heard) == len(LIBRARY) + 4
    assert {path: files(out)[path]["status"] for path in expected} == expected


def test_a_file_that_is_too_long_is_a_row_and_leaves_no_features(update, out, settings, monkeypatch):
    monkeypatch.setattr(decode, "SHARD_BYTES", 1)
    update(recommend=replace(settings.recommend, max_track_seconds=10.0))
    row = files(out)["Dawn/02 calm.mp3"]
    assert (row["status"], row["seconds"], row["segments"]) == ("too_long", None, 0)
    shards = b"".join(path.read_bytes() for path in out.glob(".cache/audio/*/*.safetensors"))
    assert f"{row['sha256']}:0".encode() not in shards and row["sha256"].encode() in shards


def test_a_file_that_changes_while_it_is_heard_is_not_kept(update, known, folder, monkeypatch):
    fill(folder, {"new.mp3": (9, 2.5)})
    cut_file = decode.cut_file

    def disturbed(path, *rest):
        seconds = cut_file(path, *rest)
        write_mp3(path, music(11, 3.0), RATE, 96000)
        return seconds

    monkeypatch.setattr(decode, "cut_file", disturbed)
    update()
    row = files(known)["new.mp3"]
    assert (row["status"], row["sha256"]) == ("unreadable", "") and "changed" in row["reason"]
    monkeypatch.undo()
    assert counts(update()) == (0, 1, 4, 0)
    assert files(known)["new.mp3"]["seconds"] == 3.0


def test_a_file_that_cannot_be_read_is_tried_again(update, known, folder, monkeypatch):
    fill(folder, {"new.mp3": (9, 2.5)})

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(identify, "sha256_of", refused)
    update()
    row = files(known)["new.mp3"]
    assert (row["status"], row["reason"]) == ("unreadable", "cannot be read (Permission denied)")
    monkeypatch.undo()
    update()
    row = files(known)["new.mp3"]
    assert (row["status"], row["sha256"]) == ("ok", sha256_of(folder / "new.mp3"))


def test_what_the_disk_cannot_read_is_tried_again(update, folder, out, monkeypatch):
    def failing(path, rate):
        raise OSError(5, "Input/output error")

    fill(folder, {"new.mp3": (9, 2.5)})
    mono = segments_module.mono
    chosen = {"new.mp3": failing}
    monkeypatch.setattr(segments_module, "mono", lambda path, rate: chosen.get(path.name, mono)(path, rate))
    update()
    row = files(out)["new.mp3"]
    assert (row["status"], row["reason"]) == ("unreadable", "cannot be read (Input/output error)")
    monkeypatch.undo()
    update()
    assert files(out)["new.mp3"]["status"] == "ok"


def test_a_read_error_of_ffmpeg_is_an_error_of_the_file(update, folder, out, heard):
    """A WebM that ends within its header is such a file."""
    write(folder / "cut.webm", music(1, 2.0), RATE, ".webm", "mono", None)
    (folder / "cut.webm").write_bytes((folder / "cut.webm").read_bytes()[:64])
    for _ in range(2):
        update()
        assert files(out)["cut.webm"]["status"] == "corrupt"
    assert heard.count("cut.webm") == 1


@pytest.mark.parametrize("kind", ["crash", "hang", "memory"])
def test_a_decoder_that_crashes_hangs_or_eats_memory_costs_one_file(update, out, folder, heard, monkeypatch, kind):
    seconds = 2.0 if kind == "hang" else 30.0
    limits = {"SECONDS": seconds, "SECONDS_PER_MB": 0.0, "MEMORY_BYTES": 1 << 29, "_idle": []}
    for name, value in limits.items():
        monkeypatch.setattr(sandbox, name, value)
    decoded, work = sandbox.decoded, {"crash": crashing, "hang": hanging, "memory": eating}[kind]

    def failing(function, path, *arguments):
        return decoded(work if path.name == "02 calm.mp3" else function, path, *arguments)

    monkeypatch.setattr(sandbox, "decoded", failing)
    for _ in range(2):
        summary = update()
        assert summary.segments == {"Story": 3, "Words": 3}
        row = files(out)["Dawn/02 calm.mp3"]
        said = {"crash": "crashed (SIGSEGV)", "hang": "more than 2 s", "memory": "out of memory"}[kind]
        assert row["status"] == "corrupt" and said in row["reason"]
    assert heard.count("02 calm.mp3") == 1


def test_a_retagged_file_of_the_same_size_and_time_is_seen(update, known, folder, heard):
    path = folder / "single.mp3"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert counts(update()) == (0, 1, 3, 0)
    assert heard == ["single.mp3"] and files(known)["single.mp3"]["sha256"] == sha256_of(path)


def test_rescan_reads_all_files_and_decodes_what_is_new(root, settings, known, folder, heard, read):
    rows = [row | ({"sha256": "0" * 64} if row["path"] == "single.mp3" else {}) for row in files(known).values()]
    write_table(known / "files.parquet", rows, table.FILES)
    update_library(root, settings, folder, known, None, rescan=True)
    assert sorted(read) == sorted(Path(name).name for name in LIBRARY)
    assert heard == [] and files(known)["single.mp3"]["sha256"] == sha256_of(folder / "single.mp3")


def test_a_file_of_the_far_future_is_indexed(update, folder, out, monkeypatch):
    stat = os.stat
    late = SimpleNamespace(st_mtime_ns=13_569_465_600 * 10**9, st_ctime_ns=0)

    def dated(path, **options):
        found = stat(path, **options)
        if str(path).endswith("single.mp3"):
            return SimpleNamespace(**vars(late), st_size=found.st_size, st_mode=found.st_mode)
        return found

    monkeypatch.setattr(walk.os, "stat", dated)
    for _ in range(2):
        update()
        assert files(out)["single.mp3"]["status"] == "ok"


def test_an_album_is_one_however_its_name_is_written(update, folder, out):
    for form, name in (("NFD", "a.mp3"), ("NFC", "b.mp3")):
        fill(folder, {f"{unicodedata.normalize(form, 'Dröm')}/{name}": (9, 2.5)})
    update(["Words"])
    albums = {row["album"] for path, row in files(out).items() if path.startswith("Dr")}
    assert albums == {"Dröm"}
    assert len({path.split("/")[0] for path in files(out) if path.startswith("Dr")}) == 2, "paths are as on the disk"


@pytest.mark.parametrize(("code", "text"), [(28, "No space left on device"), (13, "Permission denied")])
def test_a_disk_that_refuses_is_an_error_in_one_line(update, folder, out, monkeypatch, code, text):
    def refusing(folder, arrays):
        raise OSError(code, text)

    monkeypatch.setattr(decode, "write_shard", refusing)
    with pytest.raises(StageError, match=rf"^index: {out}: {text}; .*$"):
        update()


class Killed(BaseException):
    """Stands for a signal."""


KILLS = [  # where a run is killed, and at which call
    *((decode, "write_shard", number) for number in (0, 1, 3)),
    *((embed, "write_shard", number) for number in (0, 1, 5)),
    (indexing, "decode_files", 0),
    (indexing, "embed_all", 1),
    *((tracks, "write_index", number) for number in (0, 1)),
    (indexing, "keep_only", 0),
    *((indexing, "write_files", number) for number in (0, 1)),
    *((indexing, "write_contents", number) for number in (0, 1)),
]


@pytest.mark.parametrize(("module", "name", "number"), KILLS, ids=[f"{m.__name__}.{n}.{i}" for m, n, i in KILLS])
def test_a_killed_run_resumes_with_the_same_result(
    update, out, folder, indexed_once, monkeypatch, heard, module, name, number
):
    calls, work = [], getattr(module, name)

    def deadly(*arguments, **options):
        calls.append(name)
        if len(calls) > number:
            raise Killed
        return work(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(decode, "GROUP_FILES", 1)
        patch.setattr(embed, "GROUP_FILES", 1)
        patch.setattr(module, name, deadly)
        with pytest.raises(Killed):
            update()
    finished = len(list(out.glob(".cache/audio/*/*.safetensors")))
    heard.clear()
    update()
    assert stripped(out) == stripped(indexed_once)
    assert json.loads((out / "library.json").read_text())["folder"] == str(folder)
    assert len(heard) == len(LIBRARY) - finished, "what was in a whole shard is not heard again"
    assert not list(out.glob(".part-*")) and not list(out.glob("tracks/.part-*"))


def test_a_killed_run_resumes_without_reading_files_again(update, out, monkeypatch, read):
    def deadly(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "decode_files", deadly)
        with pytest.raises(Killed):
            update()
    assert {row["status"] for row in files(out).values()} == {"pending"}
    read.clear()
    assert counts(update()) == (4, 0, 0, 0)
    assert read == []


def test_a_cache_that_was_deleted_is_filled_again(update, known, heard, indexed_once):
    shutil.rmtree(known / ".cache")
    update()
    assert len(heard) == len(LIBRARY)
    assert stripped(known) == stripped(indexed_once)


def test_damaged_tables_are_rebuilt(update, known, indexed_once, heard, read):
    (known / "files.parquet").write_bytes(b"PAR1")
    (known / "tracks/Words.parquet").write_bytes((known / "tracks/Words.parquet").read_bytes()[:-20])
    (known / "tracks/Story.parquet").unlink()
    update()
    assert stripped(known) == stripped(indexed_once)
    assert heard == [] and len(read) == len(LIBRARY)


def test_several_processes_give_the_same_result(root, settings, folder, out, indexed_once, monkeypatch):
    """Arguments and results are pickled here as they are between processes."""
    asked = []

    def packed(value):
        return ForkingPickler.loads(ForkingPickler.dumps(value))

    def map_in_order(work, items, processes, max_chunk, on_death, folders):
        asked.append((len(items), processes, max_chunk))
        return (packed(packed(work)(packed(item))) for item in items)

    monkeypatch.setattr(decode, "GROUP_FILES", 2)
    monkeypatch.setattr(decode, "STEPS", 1)
    monkeypatch.setattr(decode, "map_in_order", map_in_order)
    shared = replace(settings, machine=replace(settings.machine, processes=3))
    update_library(root, shared, folder, out, None)
    assert asked == [(2, 3, 1)]
    assert stripped(out) == stripped(indexed_once)


def test_a_file_that_kills_processes_is_listed_and_retried(update, out, indexed_once, monkeypatch, heard):
    deadly = []

    def map_in_order(work, items, processes, max_chunk, on_death, folders):
        """Act as if processes died of every group that contains one of the files."""
        for group in items:
            deadly[:] = deadly or [group[0]["sha256"]]
            yield on_death(group) if group[0]["sha256"] in deadly else work(group)

    with monkeypatch.context() as patch:
        patch.setattr(decode, "GROUP_FILES", 2)
        patch.setattr(decode, "STEPS", 1)
        patch.setattr(decode, "map_in_order", map_in_order)
        rows = update().rows
    (crashed,) = [row for row in rows if row["status"] == "crashed"]
    assert "machine.processes" in crashed["reason"] and crashed["sha256"] == ""
    heard.clear()
    update()
    assert stripped(out) == stripped(indexed_once) and len(heard) == 1


def test_the_library_may_lie_in_the_folder(root, settings, folder):
    out = folder / "library"
    for _ in range(2):
        assert len(update_library(root, settings, folder, out, ["Words"]).rows) == len(LIBRARY)
        (out / "stray.mp3").write_bytes(b"x")


def test_folders_without_music(root, settings, tmp_path, out):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("x")
    with pytest.raises(StageError, match=r"empty has no audio files; allowed are .*\.mp3"):
        update_library(root, settings, tmp_path / "empty", out, None)
    assert not out.exists()
    (tmp_path / "empty/bad.mp3").write_text("x")
    with pytest.raises(StageError, match=r"none of 1 files can be used:\n  bad.mp3: corrupt, "):
        update_library(root, settings, tmp_path / "empty", out, None)
    assert files(out)["bad.mp3"]["status"] == "corrupt"
    fill(tmp_path / "empty", {"good.mp3": (1, 2.0)})
    assert update_library(root, settings, tmp_path / "empty", out, None).segments == {"Story": 1, "Words": 1}


def test_music_that_is_gone_does_not_empty_its_library(update, known, folder):
    before = tables(known)
    for path in folder.rglob("*.mp3"):
        path.unlink()
    with pytest.raises(StageError, match="no audio files"):
        update()
    assert tables(known) == before


def test_no_model(settings, folder, out, tmp_path):
    with pytest.raises(MissingFileError, match="no trained model: run `dvc repro`"):
        update_library(tmp_path / "nowhere", settings, folder, out, None)
    assert not out.exists()


def test_a_model_of_other_sounds_is_refused(root, update):
    config = root / "models/Words/config.json"
    found = json.loads(config.read_text())
    found["features"]["audio"]["version"] = 0
    config.write_text(json.dumps(found))
    with pytest.raises(ModelError, match="trained on 'log-mel' with version 0, here it is 1"):
        update()
    del found["features"]["audio"]["n_mels"]
    config.write_text(json.dumps(found))
    with pytest.raises(ModelError, match="has no model of this version"):
        update()
