"""An index of tracks: which of them stand nearest to a query, without their audio."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import MissingFileError, ModelError
from pipeline.store.table import open_features


@dataclass(frozen=True)
class TrackIndex:
    """Tracks with their unit vectors."""

    keys: dict[str, np.ndarray]  # a column each: fid, number, path, …
    vectors: np.ndarray  # [tracks, e]
    about: dict[str, Any]  # variant, digests of the model and of the audio features

    def __len__(self) -> int:
        return len(self.vectors)

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows [queries, k] of the `k` tracks nearest to each of `queries` [queries, e], and their cosines.

        The nearest come first, of equally near ones the earlier row; all tracks where there are fewer than `k`. Raises
        `ModelError` for a `k` under 1.
        """
        if k < 1:
            raise ModelError(f"k: found {k}, at least 1 track can be asked for")
        scores = queries @ self.vectors.T
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return rows, np.take_along_axis(scores, rows, axis=1)


def open_index(path: Path) -> TrackIndex:
    """Return the index that `publish` wrote to `path`; raise `MissingFileError` when it is missing or damaged."""
    if not path.is_file():
        raise MissingFileError(f"{path} is missing: run `dvc repro publish`")
    try:
        table = open_features(path)
    except MissingFileError as error:
        raise MissingFileError(f"{path} cannot be read: remove it and run `dvc repro publish`") from error
    return TrackIndex(table.keys, table.vectors, table.about)
