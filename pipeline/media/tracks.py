"""Decoded tracks of the data set."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.media.audio import NotAudioError, mono

TOLERANCE_SECONDS = 0.1  # above the delay and padding of MP3 encoders
INT16_SCALE = 32768.0


def track_samples(root: Path, row: dict[str, Any], sample_rate: int) -> np.ndarray:
    """Return a track of the data set as float32 samples [t] in -1 … 1, cut to its recorded length.

    Raises `MissingFileError` if it is missing, damaged, not the file that `segment` wrote, or of another length.
    """
    path = root / row["path"]
    advice = "remove it and run `dvc repro segment`"
    try:
        if sha256_of(path) != row["file_sha256"]:  # features are stored under this digest
            raise MissingFileError(f"{path} is not the file that data/dataset.parquet lists: {advice}")
        blocks = list(mono(path, sample_rate))
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro segment`") from None
    except NotAudioError as error:
        raise MissingFileError(f"{path} cannot be decoded, {error}: {advice}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    seconds = len(samples) / sample_rate
    if abs(seconds - row["seconds"]) > TOLERANCE_SECONDS:
        raise MissingFileError(
            f"{path} decodes to {seconds:.2f} s, but data/dataset.parquet has {row['seconds']:.2f} s: {advice}"
        )
    return samples[: stated_samples(row, sample_rate)].astype(np.float32) / INT16_SCALE


def stated_samples(row: dict[str, Any], sample_rate: int) -> int:
    """Return the number of samples of a track by its recorded length."""
    return round(row["seconds"] * sample_rate)
