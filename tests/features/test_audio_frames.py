"""The audio table as log-mel frames: rows, padding, recomputation, and tracks that differ from the data set."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.encoders.log_mel import LogMel
from pipeline.features import audio_frames
from pipeline.features.audio_frames import write_frames
from pipeline.media.audio import mono, write_mp3
from pipeline.store.audio_table import open_audio
from tests.features.small import read_frames
from tests.small_machine import MACHINE


def write(root: Path, dataset, params, name: str = "audio.parquet") -> int:
    return write_frames(root, root / name, dataset, params, MACHINE)


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_rows_follow_the_data_set_and_hold_the_decoded_tracks(tmp_path, dataset, features, monkeypatch, dtype):
    monkeypatch.setattr(audio_frames, "GROUP_ROWS", 3)
    params = dataclasses.replace(features.audio, dtype=dtype)
    assert write(tmp_path, dataset, params) == len(dataset)
    log_mel = LogMel(params)
    for row, (key, frames) in zip(dataset, read_frames(tmp_path / "audio.parquet"), strict=True):
        samples = np.concatenate(list(mono(tmp_path / row["path"], 22050))).astype(np.float32) / 32768
        expected = log_mel.stored(log_mel(samples))
        known = {"fid": row["fid"], "number": row["number"], "sha256": row["file_sha256"]}
        assert key == known | {"frames": len(expected)}
        assert frames.dtype == dtype
        assert np.array_equal(frames, expected)
    about = open_audio(tmp_path / "audio.parquet").about
    assert about["spec"] == log_mel.spec
    assert set(about["versions"]) == {"torch", "torchaudio", "av"}


def test_one_copy_is_left(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr(audio_frames, "GROUP_ROWS", 2)
    write(tmp_path, dataset, features.audio)
    (kept,) = (tmp_path / ".cache").glob("audio/*/*.*[!n]")
    assert kept.samefile(tmp_path / "audio.parquet")


def test_a_row_group_has_a_maximum_size_but_at_least_one_track(tmp_path, dataset, features, monkeypatch):
    write(tmp_path, dataset, features.audio)
    sizes = [frames.nbytes for _, frames in read_frames(tmp_path / "audio.parquet")]
    for most, expected in ((sizes[1] + sizes[2], [1, 2, 1]), (1, [1, 1, 1, 1]), (10**9, [4])):
        monkeypatch.setattr(audio_frames, "GROUP_BYTES", most)
        write(tmp_path, dataset, features.audio)
        file = pq.ParquetFile(tmp_path / "audio.parquet")
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == expected
        assert [key["fid"] for key, _ in read_frames(tmp_path / "audio.parquet")] == [row["fid"] for row in dataset]


def test_another_rate_is_resampled(tmp_path, dataset, features):
    params = dataclasses.replace(features.audio, sample_rate=16000, f_max=8000.0)
    write(tmp_path, dataset, params)
    frames = [key["frames"] for key, _ in read_frames(tmp_path / "audio.parquet")]
    assert frames == [1 + round(row["seconds"] * 16000) // 512 for row in dataset[:2]] + [2, 32]


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_in_any_number_of_processes(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr(audio_frames, "GROUP_ROWS", 1)
    contents = []
    for number, processes in enumerate((1, 1, 2)):
        path = tmp_path / str(number) / "audio.parquet"
        write_frames(tmp_path, path, dataset, features.audio, dataclasses.replace(MACHINE, processes=processes))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] == contents[2]


def test_only_what_is_new_is_computed(tmp_path, dataset, features, monkeypatch):
    assert write(tmp_path, dataset[:3], features.audio) == 3
    (tmp_path / "audio.parquet").unlink()  # as DVC does before it runs the stage
    decoded = []
    samples = audio_frames.track_samples
    monkeypatch.setattr(
        audio_frames, "track_samples", lambda root, row, rate: decoded.append(row) or samples(root, row, rate)
    )
    assert write(tmp_path, dataset[::-1], features.audio) == 1
    assert [row["path"] for row in decoded] == [dataset[3]["path"]]
    monkeypatch.undo()
    path = tmp_path / "anew/audio.parquet"
    write_frames(tmp_path, path, dataset[::-1], features.audio, MACHINE)
    assert (tmp_path / "audio.parquet").read_bytes() == path.read_bytes()


def test_a_changed_file_or_setting_is_computed_again(tmp_path, dataset, features):
    write(tmp_path, dataset, features.audio)
    before = read_frames(tmp_path / "audio.parquet")
    write_mp3(tmp_path / dataset[3]["path"], np.zeros(22050, np.int16), 22050, 96000)
    changed = [*dataset[:3], dataset[3] | {"file_sha256": sha256_of(tmp_path / dataset[3]["path"])}]
    assert write(tmp_path, changed, features.audio) == 1
    after = read_frames(tmp_path / "audio.parquet")
    alike = [np.array_equal(old, new) for (_, old), (_, new) in zip(before, after, strict=True)]
    assert alike == [True, True, True, False]
    assert write(tmp_path, changed, dataclasses.replace(features.audio, n_fft=512)) == 4


def test_tracks_of_one_content_are_computed_once(tmp_path, dataset, features):
    twin = dataset[0] | {"fid": "ABC"}
    assert write(tmp_path, [*dataset, twin], features.audio) == 4
    frames = [of_track for _, of_track in read_frames(tmp_path / "audio.parquet")]
    assert np.array_equal(frames[0], frames[4]) and not np.array_equal(frames[0], frames[1])
    table = open_audio(tmp_path / "audio.parquet")
    assert table.index["ABC", 0] == 4
    assert np.array_equal(table.read(4), frames[0])


def test_padding_of_an_audio_codec_is_cut(tmp_path, dataset, features):
    stated = [row | {"seconds": row["seconds"] - 0.05 * (row["fid"] == "AAC")} for row in dataset]
    for name, rows in (("all", dataset), ("cut", stated)):
        write_frames(tmp_path, tmp_path / name / "audio.parquet", rows, features.audio, MACHINE)
    frames, cut = (read_frames(tmp_path / name / "audio.parquet")[3][0]["frames"] for name in ("all", "cut"))
    assert (frames, cut) == (1 + 22050 // 512, 1 + round(0.95 * 22050) // 512)


def spoil(path: Path, how: str) -> None:
    """Damage a one-second track."""
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


@pytest.mark.parametrize("listed", [False, True], ids=["replaced", "listed"])
@pytest.mark.parametrize("how", ["missing", "empty", "other", "truncated", "longer"])
def test_a_damaged_track_names_the_file_and_the_stage(tmp_path, dataset, features, how, listed):
    """Also if the data set lists the digest of the damaged file."""
    path = tmp_path / dataset[3]["path"]
    spoil(path, how)
    if listed and how != "missing":
        dataset[3]["file_sha256"] = sha256_of(path)
    with pytest.raises(MissingFileError, match=r"A/A/C/0\.mp3 .*dvc repro segment"):
        write(tmp_path, dataset, features.audio)
    assert not (tmp_path / "audio.parquet").exists()
    assert not list(tmp_path.glob(".part-*")), "nothing half-written stays"


def test_a_track_that_was_replaced_does_not_get_into_the_cache(tmp_path, dataset, features):
    path = tmp_path / dataset[3]["path"]
    before = path.read_bytes()
    write_mp3(path, np.ones(22050, np.int16), 22050, 96000)
    with pytest.raises(MissingFileError, match=r"is not the file that data/dataset\.parquet lists"):
        write(tmp_path, dataset, features.audio)
    path.write_bytes(before)
    assert write(tmp_path, dataset, features.audio) == 4


@pytest.mark.slow
def test_an_error_in_another_process_is_raised(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr(audio_frames, "GROUP_ROWS", 2)
    spoil(tmp_path / dataset[3]["path"], "truncated")
    with pytest.raises(MissingFileError, match=r"A/A/C/0\.mp3 .*dvc repro segment"):
        write_frames(
            tmp_path, tmp_path / "audio.parquet", dataset, features.audio, dataclasses.replace(MACHINE, processes=2)
        )
