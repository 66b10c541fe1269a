import errno
import hashlib
import json
import os
import stat

import pytest

from pipeline.core.files import (
    BLOCK_BYTES,
    edited_file,
    remove_strays,
    sha256_of,
    whole_file,
    write_bytes,
    write_json,
)


def test_file_appears_complete_with_its_folder(tmp_path):
    path = tmp_path / "a/b/c.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists() and temporary.parent == path.parent and temporary.suffix == ".bin"
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert os.listdir(path.parent) == ["c.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_file_is_readable_by_others(tmp_path):
    write_bytes(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_content_and_name_are_synced_around_the_rename(tmp_path, monkeypatch):
    events: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        path = os.readlink(f"/proc/self/fd/{handle}")
        events.append("folder" if path == str(tmp_path) else f"file of {os.stat(path).st_size} bytes")
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", lambda *paths: (events.append("renamed"), replace(*paths)))
    write_bytes(tmp_path / "a", b"abc")
    assert events == ["file of 3 bytes", "renamed", "folder"]


def test_unsupported_folder_sync_is_ignored_but_a_full_disk_is_not(tmp_path, monkeypatch):
    def fail(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        if is_folder == (failing == "folder"):
            raise OSError(errno.EINVAL if is_folder else errno.ENOSPC, "")

    monkeypatch.setattr(os, "fsync", fail)
    failing = "folder"
    write_bytes(tmp_path / "a", b"old")
    failing = "file"
    with pytest.raises(OSError):
        write_bytes(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "a[1]*.bin"])
def test_names_may_be_long_and_unrelated_files_stay(tmp_path, name):
    (tmp_path / ".part-a1.bin-x.bin").touch()
    with pytest.raises(ValueError), whole_file(tmp_path / name) as temporary:
        stray = temporary.with_name(f"{temporary.name[:-1]}_")
        stray.touch()
        raise ValueError
    remove_strays(tmp_path / name)
    write_bytes(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == sorted([".part-a1.bin-x.bin", name])


def test_a_users_file_is_edited_in_place_and_keeps_its_mode(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    for name, mode in {"link": 0o600, "new": 0o644}.items():
        with edited_file(tmp_path / name) as temporary:
            temporary.write_bytes(b"new")
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_json(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": "é", "a": [1, None]})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "é" in text and text.index('"b"') < text.index('"a"')
    assert json.loads(text) == {"b": "é", "a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_sha256(tmp_path, size):
    data = bytes(size)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()
