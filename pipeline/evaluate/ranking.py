"""All candidates ranked for every query by cosine.

Ties keep the candidates' order: rank = 1 + candidates with a higher score + earlier candidates with an equal score.
Scores are float32, rounded from sums in float64, so that neither blocks nor the order of a sum decide a rank.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_SCORES = 1 << 22  # held at once: 32 MB


@dataclass(frozen=True)
class Ranking:
    """One query's candidates, ranked."""

    ranks: np.ndarray  # of the relevant candidates, ascending, 1 = best, int32
    top: np.ndarray  # numbers of the best candidates, best first
    top_scores: np.ndarray  # their cosines, float32


def rank_candidates(
    queries: np.ndarray, candidates: np.ndarray, relevant: Sequence[np.ndarray], top: int
) -> Iterator[Ranking]:
    """Yield the ranking of each query; `queries` [n, e] and `candidates` [n', e] are unit vectors.

    `relevant` are the candidate numbers that belong to each query; `top` best candidates are kept, fewer when there are
    not as many.
    """
    transposed = candidates.T.astype(np.float64)
    block = max(1, BLOCK_SCORES // len(candidates))
    places = np.arange(1, len(candidates) + 1, dtype=np.int32)
    ranks = np.empty_like(places)
    for start in range(0, len(queries), block):
        scores = (queries[start : start + block].astype(np.float64) @ transposed).astype(np.float32)
        for row, own in zip(scores, relevant[start : start + block], strict=True):
            order = np.argsort(-row, kind="stable")
            ranks[order] = places
            yield Ranking(np.sort(ranks[own]), order[:top], row[order[:top]])
