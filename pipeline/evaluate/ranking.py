"""All candidates ranked for every query by cosine.

Equal scores are ties (`pipeline.evaluate.ranks`); where tracks are listed, tied ones keep the candidates' order. Scores
are float32, rounded from sums in float64, so that neither blocks nor the order of a sum decide a rank. Memory holds one
block of scores, whatever the number of queries and candidates.

Hubness: in a space of many dimensions a few candidates stand near everything, and crowd the top of every ranking. N₁₀
of a candidate is how many queries have it among their first ten (Radovanović, Nanopoulos and Ivanović 2010, Hubs in
Space). Without hubs N₁₀ is binomial and its skewness near 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import ModelError, StageError
from pipeline.evaluate.ranks import Ranks, grouped

TOP = 10  # places that hubness looks at
BLOCK_SCORES = 1 << 20  # held at once: 8 MB in float64


@dataclass(frozen=True)
class Vectors:
    """Unit vectors [rows, e] of things to be ranked or ranked for, each with one row or several."""

    rows: np.ndarray
    starts: np.ndarray  # the first row of each thing

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def single(self) -> bool:
        """Whether everything has just one row."""
        return len(self.starts) == len(self.rows)

    def part(self, start: int, end: int) -> "Vectors":
        """Return things `start` … `end` − 1."""
        first = int(self.starts[start])
        last = int(self.starts[end]) if end < len(self) else len(self.rows)
        return Vectors(self.rows[first:last], self.starts[start:end] - first)

    def chosen(self, numbers: Sequence[int]) -> "Vectors":
        """Return the things of `numbers`, in that order."""
        parts = [self.part(number, number + 1).rows for number in numbers]
        lengths = [len(part) for part in parts]
        return Vectors(np.concatenate(parts), np.cumsum(lengths) - lengths)


def one_row_each(rows: np.ndarray) -> Vectors:
    """Return `rows` as things with one row each."""
    return Vectors(rows, np.arange(len(rows)))


@dataclass(frozen=True)
class Ranking:
    """Where each query's relevant candidates stand, and what stands on top."""

    ranks: Ranks
    top: np.ndarray  # numbers of the best candidates of each query, best first, int64 [n, top]
    top_scores: np.ndarray  # their cosines, float32 [n, top]
    occurrences: np.ndarray  # how many queries have a candidate among their first ten, float64 [candidates]


def rank(queries: Vectors, candidates: Vectors, relevant: Sequence[np.ndarray], top: int) -> Ranking:
    """Rank `candidates` for each of `queries`; something with several rows has the best of its rows' cosines.

    `relevant` are the numbers of the candidates that belong to each query, at least one; the first `top` candidates are
    kept, fewer when there are not as many. A candidate that is tied for the last of ten places counts for its share of
    it. Raises `ModelError` where an embedding is not a number, `StageError` where a query has no relevant candidate.
    """
    if idle := [number for number, own in enumerate(relevant) if not len(own)]:
        raise StageError(f"query {idle[0]} has no relevant candidate to be found; leave it out")
    for vectors in (queries, candidates):
        if not np.isfinite(vectors.rows).all():
            raise ModelError("embeddings hold what is no number: the model's training failed, train it again")
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
            through.append(ascending.searchsorted(values, "right"))  # candidates of this score or a lower one
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
    """Return of each candidate of `numbers` the row that is nearest to the one `query`, of tied rows the first."""
    several = candidates.chosen(numbers.tolist())
    (scores,) = _scores(query, one_row_each(several.rows), several.rows.T.astype(np.float64))
    return candidates.starts[numbers] + [np.argmax(part) for part in np.split(scores, several.starts[1:])]


def hubness_of(occurrences: np.ndarray, queries: int) -> dict[str, float]:
    """Return what `occurrences` [candidates], N₁₀ of each, say about hubs among the candidates of `queries` queries.

    k             10, or all candidates where there are fewer
    most          the greatest N₁₀
    never         the share of candidates with N₁₀ = 0, which nobody is ever shown
    skewness      of N₁₀; 0 where all are equal
    chance_never  what `never` is expected to be under random rankings
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
    """Add to `occurrences` what stands on a block's first `places`, of which `lowest` [n, 1] are the last scores."""
    higher, equal = scores > lowest, scores == lowest
    shares = (places - higher.sum(axis=1)) / equal.sum(axis=1)
    occurrences += higher.sum(axis=0) + shares @ equal
