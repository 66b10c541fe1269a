"""Indexes: tables of tracks with their embeddings by one model, all that a search needs beside a query.

The same table for the tracks of the data set, which `publish` writes, and for one's own music, which `index` does. A
track of one's own music is a piece of a file, `file_start_seconds` from its beginning; those of the data set are files
of their own. A text that is not known is empty, a number that is not known is null.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.batches import batches
from pipeline.store.table import write_features

INDEX = "tracks.parquet"  # beside the model that is published
INDEX_KEYS = pa.schema(
    [
        ("fid", pa.string()),  # of the film; of one's own music empty
        ("number", pa.int32()),  # of the film's tracks, or of the file's pieces
        ("path", pa.string()),  # of the file, below the catalogue's folder, parted by /
        ("split", pa.string()),  # of the split
        ("file_start_seconds", pa.float64()),  # in the file at `path`
        ("start_seconds", pa.float64()),  # in the recording that the track was cut from
        ("seconds", pa.float64()),
        ("title", pa.string()),  # of the film or album
        ("year", pa.int32()),
        ("artist", pa.string()),
        ("track", pa.string()),  # title of the recording, or of its chapter
        ("url", pa.string()),  # of the film's article
        ("source_url", pa.string()),  # of the recording
    ]
)
GROUP_ROWS = 8192  # a row group, of the size that a reader decodes at once


def write_index(path: Path, tracks: Iterable[dict[str, Any]], vectors: np.ndarray, about: dict[str, Any]) -> None:
    """Write `tracks` in order with their unit vectors [tracks, e] as a fixed-size list of float32.

    `about` says which variant (`variant`), whose weights (`model`, their SHA-256) and what else they come from; it goes
    into the file's metadata.
    """
    rows = ({name: track[name] for name in INDEX_KEYS.names} for track in tracks)
    groups = (
        (group, vectors[number * GROUP_ROWS :][: len(group)]) for number, group in enumerate(batches(rows, GROUP_ROWS))
    )
    write_features(path, INDEX_KEYS, groups, vectors.shape[1], np.float32, about)


def film_tracks(dataset: Iterable[dict[str, Any]], segments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the data set as tracks of an index; `segments` tell where each was cut out of what."""
    cut = {row["path"]: row for row in segments}
    return [
        {
            "file_start_seconds": 0.0,
            "start_seconds": cut[row["path"]]["start_seconds"],
            "artist": "",
            "track": cut[row["path"]]["title"],
            **{name: row[name] for name in INDEX_KEYS.names if name in row},
        }
        for row in dataset
    ]
