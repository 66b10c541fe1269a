"""Ranking of all candidates for every query by cosine similarity.

Equal scores are ties (`pipeline.evaluate.ranks`); lists keep tied tracks in the candidates' order. Scores are float32,
rounded from sums in float64, so that neither blocks nor the order of summation change a rank. Memory holds one block of
scores, for any number of queries and candidates.

Hubness: in high-dimensional spaces a few candidates are near all queries and dominate the top of every ranking. N₁₀ of
a candidate is the number of queries with it in their top ten (Radovanović, Nanopoulos and Ivanović 2010, Hubs in
Space). Without hubs N₁₀ is binomial with a skewness near 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import ModelError, StageError
from pipeline.evaluate.ranks import Ranks, grouped

TOP = 10  # cut-off of hubness
BLOCK_SCORES = 1 << 20  # in memory at a time: 8 MB in float64


@dataclass(frozen=True)
class Vectors:
    """Unit vectors [rows, e] of queries or candidates, each with one or more rows."""

    rows: np.ndarray
    starts: np.ndarray  # the first row of each item

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def single(self) -> bool:
        """Whether every item has exactly one row."""
        return len(self.starts) == len(self.rows)

    def part(self, start: int, end: int) -> "Vectors":
        """Return items `start` … `end` − 1."""
        first = int(self.starts[start])
        last = int(self.starts[end]) if end < len(self) else len(self.rows)
        return Vectors(self.rows[first:last], self.starts[start:end] - first)

    def chosen(self, numbers: Sequence[int]) -> "Vectors":
        """Return the items `numbers`, in that order."""
        parts = [self.part(number, number + 1).rows for number in numbers]
        lengths = [len(part) for part in parts]
        return Vectors(np.concatenate(parts), np.cumsum(lengths) - lengths)


def one_row_each(rows: np.ndarray) -> Vectors:
    """Return `rows` as items with one row each."""
    return Vectors(rows, np.arange(len(rows)))


@dataclass(frozen=True)
class Ranking:
    """The ranks of each query's relevant candidates, and its top candidates."""

    ranks: Ranks
    top: np.ndarray  # numbers of the best candidates of each query, best first, int64 [n, top]
    top_scores: np.ndarray  # their cosines, float32 [n, top]
    occurrences: np.ndarray  # number of queries with a candidate in their top ten, float64 [candidates]


def rank(queries: Vectors, candidates: Vectors, relevant: Sequence[np.ndarray], top: int) -> Ranking:
    """Rank `candidates` for each of `queries`; an item with several rows has the highest of their cosines.

    `relevant` are the numbers of each query's relevant candidates, at least one; at most `top` candidates are kept. For
    hubness, candidates tied for the last of the ten places share it. Raises `ModelError` if an embedding is NaN or
    infinite, `StageError` if a query has no relevant candidate.
    """
    if idle := [number for number, own in enumerate(relevant) if not len(own)]:
        raise StageError(f"query {idle[0]} has no relevant candidate; leave it out")
    for vectors in (queries, candidates):
        if not np.isfinite(vectors.rows).all():
            raise ModelError("embeddings are NaN or infinite: training diverged; lower train.learning_rate")
    transposed = candidates.rows.T.astype(np.float64)
    count = len(candidates)
    size = max(1, BLOCK_SCORES // max(count, len(candidates.rows)))
    kept, hubs = min(top, count), min(TOP, count)
    through, below, tops, top_scores = [], [], [], []
    occurrences = np.zeros(count)
    for start in range(0, len(queries), size):
        scores = _scores(queries.part(start, start + size), candidates, transposed)
        ordered = np.sort(scores, axis=1)
        for row, ascending, own in zip(scores, ordered, relevant[start : start + size], strict=True):
            values = row[own]
            through.append(ascending.searchsorted(values, "right"))  # candidates with this score or a lower one
            below.append(ascending.searchsorted(values, "left"))
            if kept:
                best = np.flatnonzero(row >= ascending[count - kept])
                best = best[np.argsort(-row[best], kind="stable")][:kept]
                tops.append(best)
                top_scores.append(row[best])
        if kept:
            _count(occurrences, scores, ordered[:, count - hubs, np.newaxis], hubs)
    query = np.repeat(np.arange(len(queries)), [len(own) for own in relevant])
    higher, lower = count - np.concatenate(through), np.concatenate(below)
    ranks = grouped(query, higher, count - lower - higher, count)
    shape = (len(queries), kept)
    return Ranking(
        ranks, np.array(tops, np.int64).reshape(shape), np.array(top_scores, np.float32).reshape(shape), occurrences
    )


def nearest_rows(query: Vectors, candidates: Vectors, numbers: np.ndarray) -> np.ndarray:
    """Return for each candidate of `numbers` its row nearest to the single `query`, the first of tied rows."""
    several = candidates.chosen(numbers.tolist())
    (scores,) = _scores(query, one_row_each(several.rows), several.rows.T.astype(np.float64))
    return candidates.starts[numbers] + [np.argmax(part) for part in np.split(scores, several.starts[1:])]


def hubness_of(occurrences: np.ndarray, queries: int) -> dict[str, float]:
    """Return the hubness of candidates from `occurrences` [candidates], the N₁₀ of each over `queries` queries.

    k             10, or the number of candidates if smaller
    most          the largest N₁₀
    never         the share of candidates with N₁₀ = 0, which are never retrieved
    skewness      of N₁₀; 0 if all are equal
    chance_never  the expected value of `never` under random rankings
    """
    k = min(TOP, len(occurrences))
    deviations = occurrences - occurrences.mean()
    spread = float(np.sqrt(np.mean(deviations**2)))
    return {
        "k": k,
        "most": float(occurrences.max()),
        "never": float(np.mean(occurrences == 0)),
        "skewness": float(np.mean(deviations**3) / spread**3) if spread > 1e-9 else 0.0,
        "chance_never": float((1 - k / len(occurrences)) ** queries),
    }


def _scores(queries: Vectors, candidates: Vectors, transposed: np.ndarray) -> np.ndarray:
    """Return the cosines [queries, candidates]."""
    scores = (queries.rows.astype(np.float64) @ transposed).astype(np.float32)
    if not queries.single:
        scores = np.maximum.reduceat(scores, queries.starts, axis=0)
    if not candidates.single:
        scores = np.maximum.reduceat(scores, candidates.starts, axis=1)
    return scores


def _count(occurrences: np.ndarray, scores: np.ndarray, lowest: np.ndarray, places: int) -> None:
    """Add to `occurrences` the candidates in a block's top `places`, whose last scores are `lowest` [n, 1]."""
    higher, equal = scores > lowest, scores == lowest
    shares = (places - higher.sum(axis=1)) / equal.sum(axis=1)
    occurrences += higher.sum(axis=0) + shares @ equal
