"""Nearest-neighbour search in an index: exact, or approximate with FAISS.

The approximate search assigns tracks to lists (an inverted file, Jégou et al. 2011: Product Quantization for Nearest
Neighbor Search, with 8 bits per value), searches `probes` of them, and rescores the results exactly: scores are exact,
and only tracks in other lists are missed. If those lists have too few tracks, the others follow, compared exactly.
The lists are built when an index is opened, in seconds for a million tracks.

Both searches can be limited to tracks that pass filters. If few pass, only these are compared.
"""

import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Protocol

import numpy as np

from pipeline.apps.recommend.index import TrackIndex, highest
from pipeline.params import Recommend

FIRST = 256  # tracks in the first block; further blocks are larger
GROWTH = 8
FEW = 0.1  # share of tracks up to which gathering their vectors is faster than comparing all (`benchmarks.filters`)
SAMPLE_A_LIST = 64  # training tracks per list
ITERATIONS = 10  # of k-means
MEASURED = 200  # tracks used as queries to measure recall
MEASURED_AT = 20
SEED = 0


class Search(Protocol):
    """A search in one index."""

    def nearest(self, query: np.ndarray, passing: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield rows of tracks in blocks, nearest to `query` [e] first, each track once.

        With `passing`, bool [tracks], only these tracks.
        """


class ExactSearch:
    """Compares all tracks that pass."""

    def __init__(self, index: TrackIndex) -> None:
        self.index = index

    def nearest(self, query: np.ndarray, passing: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield rows as `Search.nearest` does."""
        yield from _compared(self.index, query, None if passing is None else np.flatnonzero(passing))


class ApproximateSearch:
    """Searches the lists nearest to a query."""

    def __init__(self, index: TrackIndex, params: Recommend) -> None:
        logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it logs each instruction set that it tries
        import faiss

        self.index = index
        count = max(1, min(params.lists, len(index) // SAMPLE_A_LIST))
        width = index.vectors.shape[1]
        kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        self.cells = faiss.IndexFlatIP(width)
        self.lists = faiss.IndexIVFScalarQuantizer(self.cells, width, count, kind, metric)
        self.lists.cp.seed, self.lists.cp.niter = SEED, ITERATIONS
        rows = np.random.default_rng(SEED).permutation(len(index))[: count * SAMPLE_A_LIST]
        self.lists.train(index.vectors[np.sort(rows)])
        self.lists.add(index.vectors)
        self.lists.nprobe = min(params.probes, count)

    def nearest(self, query: np.ndarray, passing: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield rows as `Search.nearest` does: first from the lists nearest to `query`, then all others."""
        rows = np.arange(len(self.index)) if passing is None else np.flatnonzero(passing)
        if passing is not None and len(rows) <= FEW * len(self.index):
            yield from _compared(self.index, query, rows)
            return
        limits = self._limits(passing)
        seen, count = np.zeros(0, np.int64), FIRST
        while len(seen) < len(rows):
            found = self.lists.search(query[np.newaxis], min(count, len(self.index)), params=limits)[1][0]
            new = np.setdiff1d(found[found >= 0], seen)
            if not len(new):
                yield from _compared(self.index, query, np.setdiff1d(rows, seen, assume_unique=True))
                return
            yield new[highest(self.index.vectors[new] @ query, len(new))]
            seen, count = np.concatenate([seen, new]), count * GROWTH

    def _limits(self, passing: np.ndarray | None) -> Any:
        """Return the parameters that limit FAISS to the tracks that pass."""
        import faiss

        if passing is None:
            return None
        library: Any = faiss  # its type stubs describe the C++ interface, without arrays
        selector = library.IDSelectorBitmap(np.packbits(passing, bitorder="little"))
        return library.SearchParametersIVF(sel=selector, nprobe=self.lists.nprobe)


def open_search(index: TrackIndex, params: Recommend) -> Search:
    """Return the search that `params.search` selects."""
    return ExactSearch(index) if params.search == "exact" else ApproximateSearch(index, params)


def scores_among(index: TrackIndex, query: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    """Return the cosine of `query` [e] and each track in `rows`, float32 [rows]; None: all tracks."""
    if rows is None:
        return index.scores(query)
    if len(rows) <= FEW * len(index):
        return np.take(index.vectors, rows, axis=0) @ query
    return index.scores(query)[rows]


def recall_of(search: ApproximateSearch) -> tuple[float, int]:
    """Return the recall of the `MEASURED_AT` nearest tracks, and the number of tracks used as queries."""
    index = search.index
    rows = np.random.default_rng(SEED).permutation(len(index))[:MEASURED]
    exact = index.nearest(index.vectors[rows], MEASURED_AT)[0]
    shares = []
    for row, expected in zip(rows, exact, strict=True):
        found = list(islice(chain.from_iterable(search.nearest(index.vectors[row])), MEASURED_AT))
        shares.append(len(np.intersect1d(found, expected)) / len(expected))
    return float(np.mean(shares)), len(rows)


def _compared(index: TrackIndex, query: np.ndarray, rows: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield `rows` (None: all) in blocks, nearest to `query` first; ties in row order."""
    scores, done, count = scores_among(index, query, rows), 0, FIRST
    while done < len(scores):
        places = highest(scores, count)[done:]
        yield places if rows is None else rows[places]
        done, count = count, count * GROWTH
