"""Which files count as music, and what happens to those that are not read."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.apps.library.table import FILES
from pipeline.apps.library.walk import AUDIO, stamp, walk
from pipeline.core.tables import read_table, write_table
from pipeline.media.audio import SUFFIXES


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    return path


def paths(folder: Path, skip: Path | None = None) -> list[str]:
    return [row["path"] for row in walk(folder, skip or folder / "nowhere")]


def test_audio_files_of_all_folders_in_order_and_nothing_else(tmp_path):
    names = [
        "b.mp3",
        "a/z.FLAC",
        "a/b/c.Opus",
        "ä ö.m4a",
        "new\nline.ogg",
        "x.mp3/inside.wav",
        "no suffix",
        "cover.jpg",
    ]
    names += [".hidden.mp3", "._a.mp3", ".trash/a.mp3", "mp3", "a.mp3.part"]
    for name in names:
        touch(tmp_path / name)
    assert paths(tmp_path) == ["a/b/c.Opus", "a/z.FLAC", "b.mp3", "new\nline.ogg", "x.mp3/inside.wav", "ä ö.m4a"]


def test_every_suffix_that_can_be_decoded_is_audio():
    assert set(SUFFIXES.values()) <= AUDIO
    assert {".opus", ".oga", ".mp4", ".mka", ".aif", ".aifc", ".webm", ".m4b"} <= AUDIO


def test_a_row_has_size_and_time(tmp_path):
    path = touch(tmp_path / "a.mp3")
    os.utime(path, ns=(1, 1_234_567_891_234_567_891))
    [row] = walk(tmp_path, tmp_path / "out")
    assert (row["bytes"], row["modified_ns"], row["status"]) == (5, 1_234_567_891_234_567_891, "")
    assert row["changed_ns"] == path.stat().st_ctime_ns


@pytest.mark.parametrize(("year", "kept"), [(2400, 2**63 - 1), (1600, 1 - 2**63)])
def test_a_time_out_of_range_becomes_the_nearest(tmp_path, year, kept):
    path = touch(tmp_path / "a.mp3")
    seconds = (year - 1970) * 31_556_952
    found = SimpleNamespace(st_size=5, st_mtime_ns=seconds * 10**9, st_ctime_ns=0)  # few file systems store it either
    assert stamp(found) == {"bytes": 5, "modified_ns": kept, "changed_ns": 0}
    os.utime(path, (0, max(seconds, -(2**31))))
    rows = walk(tmp_path, tmp_path / "out")
    write_table(tmp_path / "files.parquet", rows, FILES)
    assert read_table(tmp_path / "files.parquet", FILES, "") == rows


def test_the_library_itself_is_skipped(tmp_path):
    touch(tmp_path / "a.mp3")
    touch(tmp_path / "deep/out/b.mp3")
    assert paths(tmp_path, tmp_path / "deep/out") == ["a.mp3"]


def test_links_that_lead_out_are_rows_and_are_not_followed(tmp_path):
    folder, outside = tmp_path / "music", tmp_path / "outside"
    touch(folder / "a.mp3")
    touch(outside / "secret.mp3")
    (folder / "within.mp3").symlink_to("a.mp3")
    (folder / "out.mp3").symlink_to(outside / "secret.mp3")
    (folder / "relative.mp3").symlink_to("../outside/secret.mp3")
    (folder / "elsewhere").symlink_to(outside)
    (folder / "nowhere.mp3").symlink_to("gone.mp3")
    (folder / "circle").symlink_to(".")
    found = {row["path"]: row["status"] for row in walk(folder, folder / "out")}
    assert found == {
        "a.mp3": "",
        "within.mp3": "",
        "out.mp3": "outside",
        "relative.mp3": "outside",
        "elsewhere": "outside",
        "nowhere.mp3": "unreadable",
    }


def test_what_is_not_a_file_is_a_row(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    [row] = walk(tmp_path, tmp_path / "out")
    assert (row["status"], row["bytes"]) == ("no_file", None)


def test_a_name_that_is_not_utf8_is_a_row(tmp_path):
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp3"), "wb"):
        pass
    [row] = walk(tmp_path, tmp_path / "out")
    assert (row["path"], row["status"]) == ("caf\\xe9.mp3", "not_utf8")


def test_a_folder_that_cannot_be_read_is_a_row(tmp_path, monkeypatch):
    touch(tmp_path / "locked/a.mp3")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    [row] = walk(tmp_path, tmp_path / "out")
    assert (row["path"], row["status"]) == ("locked", "unreadable")
    assert "Permission denied" in row["reason"]
