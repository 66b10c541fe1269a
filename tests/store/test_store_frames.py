"""The table of frames: written values are read back by position; damage is reported."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MissingFileError
from pipeline.store.frames import check_frames, frame_places, write_frames_table

BANDS = 3
ABOUT = {"spec": {"encoder": "log-mel", "n_mels": BANDS}, "versions": {}}


def write(path: Path, dtype: str = "float16", groups: tuple[tuple[int, ...], ...] = ((5, 1), (40_000,), (2, 2, 7))):
    """Write a table of tracks with the given numbers of frames by row group, and return the tracks by key."""
    rng = np.random.default_rng(0)
    tracks = {}
    rows = []
    for group in groups:
        keys = [
            {"fid": "AAA", "number": len(tracks) + n, "frames": frames, "sha256": f"{len(tracks) + n:03}"}
            for n, frames in enumerate(group)
        ]
        of_group = [rng.normal(100, 30, (frames, BANDS)).astype(dtype) for frames in group]
        tracks |= {key["sha256"]: track for key, track in zip(keys, of_group, strict=True)}
        rows.append((keys, of_group))
    write_frames_table(path, rows, dtype, ABOUT)
    return tracks


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_any_stretch_of_any_track_is_at_its_place(tmp_path, dtype):
    tracks = write(tmp_path / "audio.parquet", dtype)
    check_frames(tmp_path / "audio.parquet")
    places = frame_places(tmp_path / "audio.parquet")
    assert places.keys() == tracks.keys()
    for key, track in tracks.items():
        assert (places[key].shape, places[key].dtype) == (track.shape, dtype)
        for start, end in ((0, len(track)), (len(track) - 1, len(track))):
            rows = np.empty((end - start, BANDS), dtype)
            places[key].read_into(rows, start)
            assert np.array_equal(rows, track[start:end])


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_one_wrong_bit_is_noticed(tmp_path, dtype):
    path = tmp_path / "audio.parquet"
    write(path, dtype)
    data = bytearray(path.read_bytes())
    for place in frame_places(path).values():
        data[place.offset + 1] ^= 1
        path.write_bytes(data)
        with pytest.raises(MissingFileError, match=r"damaged .*dvc repro features@audio"):
            check_frames(path)
        data[place.offset + 1] ^= 1
    path.write_bytes(data)
    check_frames(path)


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "none", "data_page_size": 1000}])
def test_pages_that_another_program_wrote_are_refused(tmp_path, options):
    path = tmp_path / "audio.parquet"
    write(path)
    file = pq.ParquetFile(path)
    rows = file.read()
    with pq.ParquetWriter(path, file.schema_arrow, use_dictionary=False, write_page_checksum=True, **options) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(file.metadata.metadata)
    with pytest.raises(MissingFileError, match=r"earlier version .*dvc repro features@audio"):
        check_frames(path)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "audio.parquet"
    write(path)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for read in (check_frames, frame_places):
            with pytest.raises(MissingFileError, match=r"remove it and run `dvc repro features@audio`"):
                read(path)


def test_the_same_content_gives_the_same_bytes_and_values_that_are_not_finite_are_refused(tmp_path):
    write(tmp_path / "one.parquet")
    write(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    key = {"fid": "AAB", "number": 0, "frames": 1, "sha256": "x"}
    with pytest.raises(ValueError, match="AAB"):
        write_frames_table(tmp_path / "bad.parquet", [([key], [np.full((1, BANDS), np.inf, "f2")])], "float16", ABOUT)
    assert not (tmp_path / "bad.parquet").exists()
