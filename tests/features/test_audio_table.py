"""Reading the audio table: stretches of tracks, from the cache or from a table without one."""

import dataclasses
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.core.errors import MissingFileError
from pipeline.encoders.log_mel import LogMel
from pipeline.features import audio_frames
from pipeline.features.audio_frames import write_frames
from pipeline.media.tracks import track_samples
from pipeline.store.audio_table import AudioTable, open_audio
from pipeline.store.frames import FRAME_KEYS
from pipeline.store.table import WINDOW_KEYS, write_features
from tests.small_machine import MACHINE


def values_of(table: AudioTable, track: int, start: int, length: int) -> np.ndarray:
    """Return steps of a track as float32; vectors are returned unchanged."""
    steps = np.empty((length, table.width), table.dtype)
    table.read_into(steps, track, start)
    return table.values(torch.from_numpy(steps)).numpy()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.05), ("uint8", 0.35)])
@pytest.mark.parametrize("cached", [True, False])
def test_any_stretch_of_any_track_can_be_read(tmp_path, dataset, features, monkeypatch, dtype, tolerance, cached):
    monkeypatch.setattr(audio_frames, "GROUP_ROWS", 3)
    params = dataclasses.replace(features.audio, dtype=dtype)
    write_frames(tmp_path, tmp_path / "audio.parquet", dataset, params, MACHINE)
    if not cached:  # as after `dvc pull`
        shutil.rmtree(tmp_path / ".cache")
    for _ in range(2):
        table = open_audio(tmp_path / "audio.parquet")
        assert (table.width, table.is_log_mel) == (16, True)
        assert table.index == {(row["fid"], row["number"]): n for n, row in enumerate(dataset)}
        for track, row in enumerate(dataset):
            expected = LogMel(params)(track_samples(tmp_path, row, 22050))
            assert table.steps[track] == len(expected)
            assert np.abs(values_of(table, track, 0, len(expected)) - expected).max() < tolerance
            assert np.abs(values_of(table, track, 1, 1) - expected[1:2]).max() < tolerance
    assert len(list((tmp_path / ".cache/audio").iterdir())) == 1, "reading looks where writing wrote"


def test_frames_without_a_cache_are_read_in_place(tmp_path, dataset, features):
    write_frames(tmp_path, tmp_path / "audio.parquet", dataset, features.audio, MACHINE)
    shutil.rmtree(tmp_path / ".cache")
    table = open_audio(tmp_path / "audio.parquet")
    (found,) = table.cache.folder.glob("*[!n]")
    assert found.samefile(tmp_path / "audio.parquet")
    before = [table.read(track) for track in range(len(dataset))]
    write_frames(tmp_path, tmp_path / "audio.parquet", dataset[::-1], features.audio, MACHINE)
    (anew,) = table.cache.folder.glob("*[!n]")
    assert anew.name != found.name
    for track, frames in enumerate(before):
        assert np.array_equal(table.read(track), frames), "who reads is not disturbed by a table that takes its place"


def test_a_table_of_an_earlier_version_is_named(tmp_path):
    about = {"spec": {"encoder": "log-mel", "n_mels": 2}, "versions": {}}
    keys = [{"fid": "AAA", "number": 0, "frames": 1, "sha256": "a"}]
    write_features(tmp_path / "audio.parquet", FRAME_KEYS, [(keys, np.zeros((1, 4)))], 4, np.float16, about)
    with pytest.raises(MissingFileError, match=r"earlier version.*dvc repro features@audio"):
        open_audio(tmp_path / "audio.parquet")


@pytest.mark.parametrize("tracks_a_group", [1, 2, 3])
def test_vectors_of_windows_belong_to_their_tracks(tmp_path, tracks_a_group):
    tracks = {("AAA", 0): 3, ("AAA", 1): 1, ("AAB", 0): 2}
    groups, number = [], 0
    for (fid, track), windows in tracks.items():
        keys = [
            {"fid": fid, "number": track, "window": w, "start_seconds": 1.0 * w, "sha256": f"{fid}{track}"}
            for w in range(windows)
        ]
        vectors = number + np.arange(windows * 4, dtype=np.float32).reshape(windows, 4)
        groups.append((keys, vectors))
        number += 100
    merged = []
    for first in range(0, len(groups), tracks_a_group):
        part = groups[first : first + tracks_a_group]
        merged.append(([key for keys, _ in part for key in keys], np.concatenate([vectors for _, vectors in part])))
    about = {"spec": {"encoder": "other", "window_hop_seconds": 1.0}, "versions": {}}
    write_features(tmp_path / "audio.parquet", WINDOW_KEYS, merged, 4, np.float32, about)
    table = open_audio(tmp_path / "audio.parquet")
    assert (table.width, table.is_log_mel, table.steps.tolist()) == (4, False, [3, 1, 2])
    assert table.index == {key: n for n, key in enumerate(tracks)}
    for track, (_, vectors) in enumerate(groups):
        assert np.array_equal(values_of(table, track, 0, len(vectors)), vectors)
    assert values_of(table, 2, 1, 1).tolist() == [[204, 205, 206, 207]]


def test_a_missing_or_damaged_table_is_named(tmp_path, dataset, features):
    with pytest.raises(MissingFileError, match=r"audio\.parquet is missing: run `dvc repro features@audio`"):
        open_audio(tmp_path / "audio.parquet")
    write_frames(tmp_path, tmp_path / "audio.parquet", dataset, features.audio, MACHINE)
    path = tmp_path / "audio.parquet"
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(4)
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    shutil.rmtree(tmp_path / ".cache")
    with pytest.raises(MissingFileError, match=r"damaged .*dvc repro features@audio"):
        open_audio(path)
