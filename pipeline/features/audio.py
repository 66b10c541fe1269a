"""The audio table: log-mel frames of every track, a row a track, in the order of the data set.

`vector` is float16 dB [max_frames · n_mels], frame by frame; after the track's own `frames` it holds the floor.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio import NotAudioError, mono
from pipeline.errors import MissingFileError
from pipeline.features.rows import batches, versions
from pipeline.features.spectrogram import FLOOR_DB, LogMel
from pipeline.features.table import AUDIO_KEYS, write_features
from pipeline.sections import AudioFeatures

GROUP_ROWS = 64  # decoded at a time; 5 MB of vectors at the default settings
TOLERANCE_SECONDS = 0.1  # more than the delay and padding of an MP3 encoder
INT16_SCALE = 32768.0


def write_audio_features(root: Path, path: Path, dataset: list[dict[str, Any]], params: AudioFeatures) -> int:
    """Write the log-mel frames of the tracks of `dataset` to `path` and return their number.

    Always on the CPU, whose result does not depend on the machine's GPU: decoding takes the time. Raises
    `MissingFileError` for a track that is missing, damaged, or not as long as `dataset` says.
    """
    log_mel = LogMel(params)
    max_frames = max(log_mel.frame_count(_stated_samples(row, params.sample_rate)) for row in dataset)
    groups = _groups(root, dataset, log_mel, max_frames)
    about = {"spec": log_mel.spec, "versions": versions("torch", "torchaudio", "av")}
    write_features(path, AUDIO_KEYS, groups, max_frames * params.n_mels, np.float16, about)
    return len(dataset)


def track_samples(root: Path, row: dict[str, Any], sample_rate: int) -> np.ndarray:
    """Return a track of the data set as float32 samples [t] in -1 … 1, cut to its stated length.

    Raises `MissingFileError` when it is missing, damaged, or not as long as stated.
    """
    path = root / row["path"]
    advice = "remove it and run `dvc repro segment`"
    try:
        blocks = list(mono(path, sample_rate))
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro segment`") from None
    except NotAudioError as error:
        raise MissingFileError(f"{path} cannot be decoded, {error}: {advice}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    seconds = len(samples) / sample_rate
    if abs(seconds - row["seconds"]) > TOLERANCE_SECONDS:
        raise MissingFileError(
            f"{path} decodes to {seconds:.2f} s, data/dataset.parquet says {row['seconds']:.2f} s: {advice}"
        )
    return samples[: _stated_samples(row, sample_rate)].astype(np.float32) / INT16_SCALE


def _groups(
    root: Path, dataset: list[dict[str, Any]], log_mel: LogMel, max_frames: int
) -> Iterator[tuple[list[dict[str, Any]], np.ndarray]]:
    n_mels, sample_rate = log_mel.params.n_mels, log_mel.params.sample_rate
    with tqdm(total=len(dataset), desc="tracks", unit="", disable=None) as progress:
        for rows in batches(dataset, GROUP_ROWS):
            keys, vectors = [], np.full((len(rows), max_frames, n_mels), FLOOR_DB, np.float16)
            for i, row in enumerate(rows):
                frames = log_mel(track_samples(root, row, sample_rate))
                vectors[i, : len(frames)] = frames
                keys.append({"fid": row["fid"], "number": row["number"], "frames": len(frames)})
                progress.update()
            yield keys, vectors


def _stated_samples(row: dict[str, Any], sample_rate: int) -> int:
    return round(row["seconds"] * sample_rate)
