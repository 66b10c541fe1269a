"""The audio table: rows, frames and padding, and what happens to tracks that are not as stated."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio import mono, write_mp3
from pipeline.errors import MissingFileError
from pipeline.features import audio
from pipeline.features.audio import write_audio_features
from pipeline.features.spectrogram import FLOOR_DB, LogMel
from pipeline.features.table import open_features


def test_rows_follow_the_data_set_and_hold_the_decoded_tracks(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr(audio, "GROUP_ROWS", 3)
    count = write_audio_features(tmp_path, tmp_path / "audio.parquet", dataset, features.audio)
    table = open_features(tmp_path / "audio.parquet")
    log_mel = LogMel(features.audio)
    assert count == len(table) == len(dataset)
    assert table.vectors.dtype == np.float16
    assert table.width == 16 * (1 + 30001 // 512), "the longest track decides"
    for row, (key, vector) in enumerate(zip(dataset, table.vectors, strict=True)):
        assert (table.keys["fid"][row], table.keys["number"][row]) == (key["fid"], key["number"])
        samples = np.concatenate(list(mono(tmp_path / key["path"], 22050))).astype(np.float32) / 32768
        expected = log_mel(samples)
        frames = table.keys["frames"][row]
        assert frames == len(expected)
        assert np.array_equal(vector.reshape(-1, 16)[:frames], expected.astype(np.float16))
        assert (vector.reshape(-1, 16)[frames:] == FLOOR_DB).all()
    assert table.about["spec"] == log_mel.spec
    assert set(table.about["versions"]) == {"torch", "torchaudio", "av"}


def test_another_rate_is_resampled(tmp_path, dataset, features):
    params = dataclasses.replace(features.audio, sample_rate=16000, f_max=8000.0)
    write_audio_features(tmp_path, tmp_path / "audio.parquet", dataset, params)
    table = open_features(tmp_path / "audio.parquet")
    assert table.keys["frames"].tolist() == [1 + round(row["seconds"] * 16000) // 512 for row in dataset[:2]] + [2, 32]


def test_the_same_input_gives_the_same_bytes(tmp_path, dataset, features):
    for name in ("one", "two"):
        write_audio_features(tmp_path, tmp_path / name, dataset, features.audio)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_an_encoder_adds_to_a_track_is_cut(tmp_path, dataset, features):
    stated = [row | {"seconds": row["seconds"] - 0.05 * (row["fid"] == "AAC")} for row in dataset]
    for name, rows in (("all.parquet", dataset), ("cut.parquet", stated)):
        write_audio_features(tmp_path, tmp_path / name, rows, features.audio)
    frames, cut = (open_features(tmp_path / name).keys["frames"][3] for name in ("all.parquet", "cut.parquet"))
    assert (frames, cut) == (1 + 22050 // 512, 1 + round(0.95 * 22050) // 512)


def spoil(path: Path, how: str) -> None:
    """Damage a track of one second."""
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "other":
        path.write_bytes(b"<html>no sound</html>" * 100)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:6000])
    else:
        write_mp3(path, np.zeros(44100, np.int16), 22050, 96000)


@pytest.mark.parametrize("how", ["missing", "empty", "other", "truncated", "longer"])
def test_a_spoilt_track_names_the_file_and_the_stage(tmp_path, dataset, features, how):
    spoil(tmp_path / dataset[3]["path"], how)
    with pytest.raises(MissingFileError, match=r"A/A/C/0\.mp3 .*dvc repro segment"):
        write_audio_features(tmp_path, tmp_path / "audio.parquet", dataset, features.audio)
    assert not (tmp_path / "audio.parquet").exists()
    assert not list(tmp_path.glob(".part-*")), "nothing half-written stays"
