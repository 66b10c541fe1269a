"""Indexes of made-up tracks."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.apps.recommend.index import TrackIndex
from pipeline.store.index import INDEX_KEYS


def track(number: int, **known: Any) -> dict[str, Any]:
    """Return a track of an index: of the film `number` // 2, changed by `known`."""
    film = number // 2
    return {
        "fid": f"AA{chr(65 + film)}",
        "number": number % 2,
        "path": f"data/audio/A/A/{chr(65 + film)}/{number % 2}.mp3",
        "split": "eval",
        "file_start_seconds": 0.0,
        "start_seconds": 10.0 * (number % 2),
        "seconds": 10.0,
        "recording_seconds": 20.0,
        "tempo": 90.0 + number,
        "key": "A minor",
        "loudness": -20.0,
        "vocals": 0.25,
        "film": f"Film {film}",
        "year": 1920 + film,
        "artist": "",
        "title": f"Suite {film}",
        "url": "",
        "source_url": "",
        "music_tags": "",
    } | known


def make_index(
    vectors: np.ndarray,
    tracks: list[dict[str, Any]] | None = None,
    probabilities: np.ndarray | None = None,
    **about: Any,
) -> TrackIndex:
    """Return an index, of no file, of unit vectors in the directions of `vectors` [tracks, e]."""
    rows = tracks or [track(number) for number in range(len(vectors))]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    table = pa.Table.from_pylist(rows, schema=INDEX_KEYS)
    return TrackIndex(table, unit.astype(np.float32), about, Path("tracks.parquet"), probabilities)
