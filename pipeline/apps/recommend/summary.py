"""Summary of a library for the form's filters: numbers of tracks, and bounds of their values."""

from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipeline.apps.recommend.filters import COLUMNS, MODES, TONICS
from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.passing import SINGS, tagged
from pipeline.store.index import MUSIC_TAGS

ROWS = 65_536  # rows of probabilities per block
KEYS = tuple(f"{tonic} {mode}" for tonic in TONICS for mode in dict.fromkeys(MODES.values()))


def summary_of(index: TrackIndex) -> dict[str, Any]:
    """Return `tracks`, `hours` (total length of tracks, which may overlap) and `filters`.

    `filters` has the least and greatest value for each of `COLUMNS` (None if unknown), the number of tracks of each of
    `keys` and of the `music` tags (most frequent first), and the numbers of `vocals` (None if unknown).
    """
    tracks = index.tracks
    bounds = {name: pc.min_max(tracks[column]).as_py() for name, column in COLUMNS.items()}
    keys = {count["values"]: count["counts"] for count in pc.value_counts(tracks["key"]).to_pylist()}
    return {
        "tracks": len(index),
        "hours": round((pc.sum(tracks["seconds"]).as_py() or 0.0) / 3600, 2),
        "filters": {
            **{name: None if of["min"] is None else [of["min"], of["max"]] for name, of in bounds.items()},
            "keys": [{"key": key, "tracks": keys[key]} for key in KEYS if key in keys],
            "vocals": _vocals(tracks["vocals"].to_numpy()),
            "music": _music(index),
        },
    }


def _vocals(probabilities: np.ndarray) -> dict[str, int] | None:
    known = probabilities[~np.isnan(probabilities.astype(np.float64))]
    sung = int(np.count_nonzero(known >= SINGS))
    return {"vocal": sung, "instrumental": len(known) - sung} if len(known) else None


def _music(index: TrackIndex) -> list[dict[str, Any]]:
    if index.probabilities is None:
        return []
    counts = np.zeros(index.probabilities.shape[1], np.int64)
    for start in range(0, len(index), ROWS):
        counts += tagged(index.probabilities[start : start + ROWS]).sum(axis=0)
    found = sorted(zip(index.about[MUSIC_TAGS], counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [{"tag": tag, "tracks": count} for tag, count in found if count]
