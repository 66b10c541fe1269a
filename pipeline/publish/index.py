"""The index of a published model: every track of the data set with its embedding, to recommend without the audio."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.store.films import Film
from pipeline.store.table import write_features

INDEX = "tracks.parquet"
KEYS = pa.schema(
    [
        ("fid", pa.string()),
        ("number", pa.int32()),
        ("path", pa.string()),
        ("side", pa.string()),
        ("seconds", pa.float64()),
        ("title", pa.string()),  # of the film
        ("year", pa.int32()),
        ("url", pa.string()),  # of the film's article
        ("source_url", pa.string()),  # of the recording
    ]
)
GROUP_ROWS = 8192  # a row group, of the size that a reader decodes at once


def write_index(path: Path, films: list[Film], vectors: np.ndarray, about: dict[str, Any]) -> None:
    """Write the tracks of `films` in order with their unit vectors [tracks, e] as a fixed-size list of float32.

    `about` says which model and which features they come from; it goes into the file's metadata.
    """
    tracks = [{name: track[name] for name in KEYS.names} for film in films for track in film.tracks]
    groups = (
        (tracks[start : start + GROUP_ROWS], vectors[start : start + GROUP_ROWS])
        for start in range(0, len(tracks), GROUP_ROWS)
    )
    write_features(path, KEYS, groups, vectors.shape[1], np.float32, about)
