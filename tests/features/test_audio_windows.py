"""The audio table as vectors of a pretrained encoder: one row per window of a fixed grid."""

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.core.errors import MissingFileError
from pipeline.encoders.audio import load_audio_encoder
from pipeline.encoders.section import WindowFeatures
from pipeline.features import audio_windows
from pipeline.features.audio_windows import write_windows
from pipeline.media.tracks import track_samples
from pipeline.store.audio_table import open_audio
from pipeline.store.table import open_features
from tests.features.small import WINDOWS
from tests.small_machine import MACHINE

CPU = torch.device("cpu")


@pytest.fixture
def params(features, tiny) -> WindowFeatures:
    """Half-second windows every quarter of a second, through a tiny wav2vec2 at 16 kHz."""
    return dataclasses.replace(WINDOWS, encoder=str(tiny("wav2vec2")))


def test_rows_are_the_windows_of_a_fixed_grid(tmp_path, dataset, params, monkeypatch):
    monkeypatch.setattr(audio_windows, "GROUP_TRACKS", 3)
    monkeypatch.setattr(audio_windows, "GROUP_ROWS", 3)
    assert write_windows(tmp_path, tmp_path / "audio.parquet", dataset, params, MACHINE) == len(dataset)
    table = open_features(tmp_path / "audio.parquet")
    encoder = load_audio_encoder(params, CPU, 2)
    length, hop = round(0.5 * encoder.sample_rate), round(0.25 * encoder.sample_rate)
    row = 0
    for track in dataset:
        samples = track_samples(tmp_path, track, encoder.sample_rate)
        last = max(len(samples) - length, 0)
        starts = sorted({*range(0, last + 1, hop), last})
        for window, start in enumerate(starts):
            keys = {name: table.keys[name][row] for name in table.keys}
            assert (keys["fid"], keys["number"], keys["window"]) == (track["fid"], track["number"], window)
            assert keys["start_seconds"] == pytest.approx(start / encoder.sample_rate)
            expected = encoder.encode([samples[start : start + length]])[0]
            assert np.abs(table.vectors[row] - expected).max() < 1e-5
            row += 1
    assert row == len(table) > len(dataset)
    assert table.about["spec"] == encoder.spec
    opened = open_audio(tmp_path / "audio.parquet")
    assert not opened.is_log_mel
    assert opened.steps.sum() == len(table)


def test_only_new_tracks_are_encoded(tmp_path, dataset, params):
    path = tmp_path / "audio.parquet"
    assert write_windows(tmp_path, path, dataset[:2], params, MACHINE) == 2
    assert write_windows(tmp_path, path, dataset, params, MACHINE) == 2
    grown = path.read_bytes()
    assert write_windows(tmp_path, path, dataset, params, MACHINE) == 0
    assert path.read_bytes() == grown
    assert write_windows(tmp_path, path, dataset, dataclasses.replace(params, window_hop_seconds=0.3), MACHINE) == 4


def test_a_missing_track_names_the_file_and_the_stage(tmp_path, dataset, params):
    (tmp_path / dataset[2]["path"]).unlink()
    with pytest.raises(MissingFileError, match=r"A/A/B/0\.mp3 is missing: run `dvc repro segment`"):
        write_windows(tmp_path, tmp_path / "audio.parquet", dataset, params, MACHINE)
    assert not (tmp_path / "audio.parquet").exists()
