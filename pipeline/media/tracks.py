"""The tracks of the data set, decoded."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.media.audio import NotAudioError, mono

TOLERANCE_SECONDS = 0.1  # more than the delay and padding of an MP3 encoder
INT16_SCALE = 32768.0


def track_samples(root: Path, row: dict[str, Any], sample_rate: int) -> np.ndarray:
    """Return a track of the data set as float32 samples [t] in -1 … 1, cut to its stated length.

    Raises `MissingFileError` when it is missing, damaged, another file than `segment` wrote, or not as long as stated.
    """
    path = root / row["path"]
    advice = "remove it and run `dvc repro segment`"
    try:
        if sha256_of(path) != row["file_sha256"]:  # what is computed is kept under this digest
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
            f"{path} decodes to {seconds:.2f} s, data/dataset.parquet says {row['seconds']:.2f} s: {advice}"
        )
    return samples[: stated_samples(row, sample_rate)].astype(np.float32) / INT16_SCALE


def stated_samples(row: dict[str, Any], sample_rate: int) -> int:
    """Return the samples of a track as the data set says."""
    return round(row["seconds"] * sample_rate)
