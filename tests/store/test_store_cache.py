"""The cache: arrays by content, complete shards only, read in stretches."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.core.errors import MissingFileError
from pipeline.store.cache import FeatureCache, open_cache, write_shard
from pipeline.store.frames import write_frames_table

ABOUT = {"spec": {"encoder": "test"}, "versions": {"torch": "1"}}


def arrays(**counts: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(len(counts))
    return {key: rng.normal(size=(count, 3)).astype(np.float16) for key, count in counts.items()}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_what_is_added_is_read_whole_and_in_stretches(tmp_path, dtype):
    given = {key: (100 * value).astype(dtype) for key, value in arrays(a=5, b=1, c=0).items()}
    cache = open_cache(tmp_path, "audio", ABOUT)
    cache.add(write_shard(cache.folder, given))
    for found in (cache, open_cache(tmp_path, "audio", ABOUT)):
        for key, array in given.items():
            assert found.read(key).dtype == dtype
            assert np.array_equal(found.read(key), array)
            assert (found.count(key), found.width(key)) == array.shape
            assert found.dtype(key) == dtype
        rows = np.empty((2, 3), dtype)
        found.read_into(rows, "a", 1)
        assert np.array_equal(rows, given["a"][1:3])


def test_missing_keys_are_named_once_in_order(tmp_path):
    cache = open_cache(tmp_path, "text", ABOUT)
    cache.add(write_shard(cache.folder, arrays(b=1)))
    assert cache.missing(["d", "b", "a", "d"]) == ["d", "a"]
    assert "b" in cache and "a" not in cache


def test_another_specification_or_kind_is_another_folder(tmp_path):
    one = open_cache(tmp_path, "text", ABOUT)
    one.add(write_shard(one.folder, arrays(a=1)))
    for kind, about in (("image", ABOUT), ("text", ABOUT | {"versions": {"torch": "2"}}), ("text", {"spec": {}})):
        assert open_cache(tmp_path, kind, about).missing(["a"]) == ["a"]
    assert json.loads((one.folder / "about.json").read_text()) == ABOUT


def test_a_shard_that_was_cut_short_is_removed_and_the_others_stay(tmp_path):
    cache = open_cache(tmp_path, "text", ABOUT)
    whole = write_shard(cache.folder, arrays(a=4))
    for key, length in {"b": 300, "c": 40, "d": 5, "e": 0}.items():
        short = write_shard(cache.folder, arrays(**{key: 100}))
        short.write_bytes(short.read_bytes()[:length])
    assert open_cache(tmp_path, "text", ABOUT).missing("abcde") == ["b", "c", "d", "e"]
    assert list(cache.folder.glob("*.safetensors")) == [whole]


def test_remains_of_a_killed_run_are_removed_but_not_files_being_written(tmp_path):
    cache = open_cache(tmp_path, "text", ABOUT)
    left, current = (cache.folder / f".part-{name}-1.safetensors" for name in ("left", "current"))
    for path in (left, current):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    open_cache(tmp_path, "text", ABOUT)
    assert current.exists() and not left.exists()


def test_a_shard_is_a_file_of_safetensors(tmp_path):
    given = arrays(a=2, b=3)
    loaded = load_file(write_shard(tmp_path, given))
    assert loaded.keys() == given.keys()
    assert all(np.array_equal(loaded[key], given[key]) for key in given)


def test_processes_and_threads_may_write_the_same_keys_at_once(tmp_path):
    given = arrays(a=50, b=50)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: write_shard(tmp_path, given), range(40)))
    assert len(paths) == len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(FeatureCache(tmp_path).read("b"), given["b"])


def test_a_dvc_copy_uses_the_main_repositorys_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "main"))
    cache = open_cache(tmp_path / "copy/data/features", "audio", ABOUT)
    assert cache.folder.is_relative_to(tmp_path / "main/data/features/.cache/audio")


def test_reading_keeps_no_file_open(tmp_path):
    cache = open_cache(tmp_path, "audio", ABOUT)
    for number in range(20):
        cache.add(write_shard(cache.folder, arrays(**{f"k{number}": 3})))
    before = len(os.listdir("/dev/fd"))
    for number in range(20):
        cache.read(f"k{number}")
    assert len(os.listdir("/dev/fd")) == before


def table_of(path, tracks: dict[str, np.ndarray]):
    """Write `tracks` as a table of frames and return its path."""
    keys = [{"fid": "AAA", "number": n, "frames": len(t), "sha256": key} for n, (key, t) in enumerate(tracks.items())]
    path.unlink(missing_ok=True)
    write_frames_table(path, [(keys, list(tracks.values()))], "float16", {"spec": {"n_mels": 3}, "versions": {}})
    return path


def files(cache: FeatureCache) -> set[str]:
    """Return the suffixes of the cache's files."""
    return {path.suffix for path in cache.folder.iterdir() if path.name != "about.json"}


def test_a_table_replaces_the_shards_of_its_arrays(tmp_path):
    given, cache = arrays(a=5, b=1, c=2, d=3), open_cache(tmp_path, "audio", ABOUT)
    for keys in ("ab", "cd"):
        cache.add(write_shard(cache.folder, {key: given[key] for key in keys}))
    other = open_cache(tmp_path, "audio", ABOUT)
    table = table_of(tmp_path / "audio.parquet", {key: given[key] for key in "dabc"})
    cache.take_in(table)
    cache.take_in(table)
    assert files(cache) == {".parquet"}
    table.unlink()  # as DVC does before it runs the stage
    for found in (cache, other, open_cache(tmp_path, "audio", ABOUT)):
        assert found.missing("abcd") == []
        assert all(np.array_equal(found.read(key), given[key]) for key in given)
    longer = given | {"e": np.ones((4, 3), np.float16)}
    cache.take_in(table_of(tmp_path / "audio.parquet", longer))
    assert len(list(cache.folder.glob("*.parquet"))) == 1
    assert all(np.array_equal(other.read(key), given[key]) for key in given)


def test_dvcs_copy_replaces_the_written_table(tmp_path):
    given, cache = arrays(a=5, b=1), open_cache(tmp_path, "audio", ABOUT)
    table, kept = table_of(tmp_path / "audio.parquet", given), tmp_path / "dvc"
    for _ in range(2):  # a repeated stage writes the same
        cache.take_in(table)
        kept.exists() or kept.write_bytes(table.read_bytes())
        table.unlink()
        os.link(kept, table)
        cache.take_in(table)
        (link,) = cache.folder.glob("*.parquet")
        assert link.samefile(kept)
        table = table_of(tmp_path / "audio.parquet", given)
    cache.take_in(table_of(tmp_path / "audio.parquet", given))
    assert link.exists(), "it takes no room"


def test_arrays_missing_from_a_table_are_kept(tmp_path):
    """They are copied if they are the smaller part; otherwise their file stays."""
    given, cache = arrays(a=5, b=1, c=2, d=3, e=1), open_cache(tmp_path, "audio", ABOUT)
    cache.take_in(table_of(tmp_path / "audio.parquet", given))
    cache.take_in(table_of(tmp_path / "audio.parquet", {key: given[key] for key in "abc"}))
    assert len(list(cache.folder.glob("*.parquet"))) == 1 and files(cache) == {".parquet", ".safetensors"}
    cache.take_in(table_of(tmp_path / "audio.parquet", {"a": given["a"]}))
    assert len(list(cache.folder.glob("*.parquet"))) == 2
    found = open_cache(tmp_path, "audio", ABOUT)
    assert all(np.array_equal(found.read(key), given[key]) for key in given)


def test_without_hard_links_a_table_is_copied(tmp_path, monkeypatch):
    def refusing(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refusing)
    given, cache = arrays(a=5, b=1, c=2), open_cache(tmp_path, "audio", ABOUT)
    shard = write_shard(cache.folder, {"a": given["a"]})
    cache.add(shard)
    cache.take_in(table_of(tmp_path / "audio.parquet", given))
    assert files(cache) == {".safetensors"} and shard.exists()
    found = open_cache(tmp_path, "audio", ABOUT)
    assert all(np.array_equal(found.read(key), given[key]) for key in given)


def test_a_table_that_is_damaged_is_not_taken_in(tmp_path):
    given, cache = arrays(a=500), open_cache(tmp_path, "audio", ABOUT)
    shard = write_shard(cache.folder, given)
    cache.add(shard)
    table = table_of(tmp_path / "audio.parquet", given)
    data = bytearray(table.read_bytes())
    data[len(data) // 3] ^= 1
    table.write_bytes(data)
    with pytest.raises(MissingFileError, match="damaged"):
        cache.take_in(table)
    assert shard.exists() and files(cache) == {".safetensors"}
    (cache.folder / "1-1.parquet").write_bytes(bytes(data[:700]))  # a link to a file truncated by a power cut
    assert open_cache(tmp_path, "audio", ABOUT).missing("a") == []
    assert not (cache.folder / "1-1.parquet").exists()


def test_a_link_that_dvc_left_is_followed(tmp_path):
    given, cache = arrays(a=5), open_cache(tmp_path, "audio", ABOUT)
    kept = table_of(tmp_path / "kept.parquet", given)
    (tmp_path / "audio.parquet").symlink_to(kept)
    cache.take_in(tmp_path / "audio.parquet")
    kept.unlink()
    assert np.array_equal(open_cache(tmp_path, "audio", ABOUT).read("a"), given["a"])
