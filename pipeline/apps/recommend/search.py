"""The tracks of an index from the nearest on: every one compared, or, by FAISS, those in the lists nearest to a query.

An approximate search sorts the tracks into lists (an inverted file, Jégou et al. 2011: Product Quantization for Nearest
Neighbor Search, with 8 bits a value), looks into `probes` of them, and compares what it finds exactly, so scores are
exact and only tracks in other lists are missed. The lists are made anew when an index is opened: seconds for a million
tracks.
"""

import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import Protocol

import numpy as np

from pipeline.apps.recommend.index import TrackIndex, highest
from pipeline.params import Recommend

FIRST = 256  # tracks looked at; more only where filters leave too few
GROWTH = 8
SAMPLE_A_LIST = 64  # tracks that the lists are learned from, for each
ITERATIONS = 10  # of k-means
MEASURED = 200  # tracks taken as queries to measure recall with
MEASURED_AT = 20
SEED = 0


class Search(Protocol):
    """How tracks are looked for in one index."""

    def nearest(self, query: np.ndarray) -> Iterator[np.ndarray]:
        """Yield rows of tracks from the nearest to `query` [e] on, in blocks, each track once."""


class ExactSearch:
    """Compares every track."""

    def __init__(self, index: TrackIndex) -> None:
        self.index = index

    def nearest(self, query: np.ndarray) -> Iterator[np.ndarray]:
        """Yield rows of tracks from the nearest to `query` [e] on, in blocks, each track once."""
        scores, done, count = self.index.scores(query), 0, FIRST
        while done < len(scores):
            yield highest(scores, count)[done:]
            done, count = count, count * GROWTH


class ApproximateSearch:
    """Looks into the lists nearest to a query."""

    def __init__(self, index: TrackIndex, params: Recommend) -> None:
        logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which instructions it tries
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

    def nearest(self, query: np.ndarray) -> Iterator[np.ndarray]:
        """Yield rows of tracks from the nearest to `query` [e] on, in blocks, each track once."""
        seen, count = np.zeros(0, np.int64), FIRST
        while len(seen) < len(self.index):
            found = self.lists.search(query[np.newaxis], min(count, len(self.index)))[1][0]
            new = np.setdiff1d(found[found >= 0], seen)
            if not len(new):
                return
            yield new[highest(self.index.vectors[new] @ query, len(new))]
            seen, count = np.concatenate([seen, new]), count * GROWTH


def open_search(index: TrackIndex, params: Recommend) -> Search:
    """Return the search that `params.search` asks for."""
    return ExactSearch(index) if params.search == "exact" else ApproximateSearch(index, params)


def recall_of(search: ApproximateSearch) -> tuple[float, int]:
    """Return which share of the `MEASURED_AT` tracks nearest to a track are found, and over how many tracks it is."""
    index = search.index
    rows = np.random.default_rng(SEED).permutation(len(index))[:MEASURED]
    exact = index.nearest(index.vectors[rows], MEASURED_AT)[0]
    shares = []
    for row, expected in zip(rows, exact, strict=True):
        found = list(islice(chain.from_iterable(search.nearest(index.vectors[row])), MEASURED_AT))
        shares.append(len(np.intersect1d(found, expected)) / len(expected))
    return float(np.mean(shares)), len(rows)
