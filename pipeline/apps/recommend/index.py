"""An index in memory, which finds the tracks nearest to a query without their audio.

The tracks remain an Arrow table, and only the rows found become Python objects: a million tracks take their vectors and
some 100 MB.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.apps.recommend.names import FilmNames
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.store.index import MUSIC_TAGS, PROBABILITIES, REPEATED_COLUMNS, missing_column, stored_columns
from pipeline.store.table import open_parquet, read_all_vectors


@dataclass(frozen=True)
class TrackIndex:
    """Tracks with their unit vectors."""

    tracks: pa.Table  # one row per track, columns of `INDEX_KEYS`
    vectors: np.ndarray  # float32 [tracks, e]
    about: dict[str, Any]  # variant, digest of the model, ..., `music_tags`
    path: Path  # of its file, for `read_peaks`
    probabilities: np.ndarray | None = None  # uint8 [tracks, tags], of the tags in `about`; None without tags

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def bytes(self) -> int:
        """Memory use."""
        probabilities = 0 if self.probabilities is None else self.probabilities.nbytes
        return self.vectors.nbytes + self.tracks.nbytes + probabilities

    @cached_property
    def files(self) -> np.ndarray:
        """The number of each track's file, int32 [tracks]; tracks of a file are adjacent."""
        path = self.tracks["path"]
        begins = pc.not_equal(path[1:], path[:-1]).to_numpy()
        return np.concatenate([[0], np.cumsum(begins)]).astype(np.int32)[: len(self)]

    @cached_property
    def films(self) -> np.ndarray:
        """The number of each track's film, int32 [tracks]; for own music its album, or else its file."""
        pairs = _codes(self.tracks["fid"]).astype(np.int64)
        pairs *= len(self) + 1
        pairs += _codes(self.tracks["film"])
        is_unnamed = pc.and_(pc.equal(self.tracks["fid"], ""), pc.equal(self.tracks["film"], "")).to_numpy()
        pairs[is_unnamed] = -1 - self.files[is_unnamed]
        return pa.array(pairs).dictionary_encode().indices.to_numpy()

    @cached_property
    def film_names(self) -> FilmNames:
        """The names of the films and albums, with the numbers of `films`."""
        numbers, first = np.unique(self.films, return_index=True)
        named = self.tracks.select(["fid", "film", "year"]).take(pa.array(first))
        return FilmNames(zip(numbers.tolist(), *(column.to_pylist() for column in named.columns), strict=True))

    def rows(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return the tracks in `rows`, one dict per track."""
        return self.tracks.take(pa.array(rows, pa.int64())).to_pylist()

    def find(self, name: str) -> list[int]:
        """Return the rows of all tracks in the file with the path `name`, or of a film's track such as AAA/0.

        If no path equals `name`, paths are compared in NFC.
        """
        fid, _, number = name.partition("/")
        paths = self.tracks["path"]
        named = pc.equal(paths, name)
        if not pc.any(named).as_py():
            composed = pa.chunked_array([[unicodedata.normalize("NFC", path or "") for path in paths.to_pylist()]])
            named = pc.equal(composed, unicodedata.normalize("NFC", name))
        if number.isdecimal():
            of_film = pc.and_(pc.equal(self.tracks["fid"], fid), pc.equal(self.tracks["number"], int(number)))
            named = pc.or_(named, of_film)
        return np.flatnonzero(pc.fill_null(named, False).to_numpy()).tolist()

    def scores(self, query: np.ndarray) -> np.ndarray:
        """Return the cosine of each track and `query` [e], float32 [tracks]."""
        return self.vectors @ query

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows [queries, k] of the `k` tracks nearest to each of `queries` [queries, e], and their cosines.

        The nearest come first, ties in row order; all tracks if there are fewer than `k`. Raises `ModelError` for a `k`
        below 1.
        """
        if k < 1:
            raise ModelError(f"k: found {k}, the minimum is 1")
        count = min(k, len(self))
        rows, cosines = np.empty((len(queries), count), np.int64), np.empty((len(queries), count), np.float32)
        for number, query in enumerate(queries):
            scores = self.scores(query)
            rows[number] = highest(scores, k)
            cosines[number] = scores[rows[number]]
        return rows, cosines


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the `k` highest of `scores` [n], highest first, ties in order."""
    places = np.arange(len(scores))
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= least)
    return places[np.lexsort((places, -scores[places]))][:k]


def open_index(path: Path, advice: str) -> TrackIndex:
    """Return the index at `path`; raise `MissingFileError` with `advice` if it is missing or damaged."""
    if not path.is_file():
        raise MissingFileError(f"{path} is missing: {advice}")
    try:
        with open_parquet(path) as (file, about):
            stored = stored_columns(file.schema_arrow)
            tracks = pa.table({name: _column(file, name, of_file) for name, of_file in stored.items()})
            vectors = read_all_vectors(file, path)
            probabilities = _probabilities(file, path, about)
    except (MissingFileError, pa.ArrowException, OSError) as error:
        raise MissingFileError(f"{path} cannot be read: remove it and {advice}") from error
    except ValueError as error:
        raise MissingFileError(f"{path} is not an index ({error}): remove it and {advice}") from None
    return TrackIndex(tracks, vectors, about, path, probabilities)


def _probabilities(file: pq.ParquetFile, path: Path, about: dict[str, Any]) -> np.ndarray | None:
    """Return the probabilities of the music tags; raise `ValueError` if they do not fit the tags in `about`."""
    if PROBABILITIES not in file.schema_arrow.names:
        return None
    found, tags = file.schema_arrow.field(PROBABILITIES).type, about.get(MUSIC_TAGS)
    if not isinstance(tags, list) or found != pa.list_(pa.field("element", pa.uint8(), nullable=False), len(tags)):
        raise ValueError(f"{PROBABILITIES}: found {found}, which does not fit {MUSIC_TAGS} in its metadata")
    return read_all_vectors(file, path, PROBABILITIES)


def _column(file: pq.ParquetFile, name: str, of_file: str | None) -> pa.ChunkedArray:
    """Return a column, dictionary-encoded if texts repeat. Reading one column at a time takes half the memory."""
    if of_file is None:
        column = pa.chunked_array([missing_column(name, file.metadata.num_rows)])
    else:
        column = file.read(columns=[of_file])[of_file]
    return column.dictionary_encode() if name in REPEATED_COLUMNS else column


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return a code for each value of a column, int32; equal values have equal codes."""
    whole = column.combine_chunks()
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    return coded.indices.to_numpy()
