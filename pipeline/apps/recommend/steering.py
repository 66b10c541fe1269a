"""A query steered: weights of its parts, tracks to find more like, and tracks to find less like.

A part of weight w moves the query from where it is without that part (0) through where it is (1) as far beyond (2):
q(w) = q + (w - 1)(q - q without the part), its direction. A part of weight 0 has left the query, also for the others.

Tracks move it as feedback does in Rocchio 1971, Relevance feedback in information retrieval: towards the mean of those
that are liked, and away from the mean of those that are not, which weighs less, as is usual (Manning et al. 2008,
Introduction to Information Retrieval, section 9.1.1).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.apps.recommend.query import WHOLE, Parts
from pipeline.core.errors import ModelError

MOST_WEIGHT = 2.0
LESS = 0.25  # weight of tracks that are not liked, beside 1 of the query: what it does is in docs/recommending.md
LEAST_LENGTH = 1e-4  # of a sum of unit vectors that has a direction

Mixture = Mapping[Parts, float]  # a sum of queries, each named by the parts that it lacks: how much there is of each


def mixture(read: Collection[str], weights: Mapping[str, float], without: Parts = WHOLE) -> Mixture:
    """Return of what the query is the sum whose parts `read` have `weights` (1 where none is named).

    The parts `without`, not all that have a weight, are left out besides. Raises `ModelError` where no part has one.
    """
    lacking = frozenset(part for part in read if weights.get(part, 1.0) == 0) | without
    left = [part for part in read if part not in lacking]
    if not left:
        raise ModelError(f"weights: {' and '.join(read)} weigh 0, so nothing is left of the query: raise one of them")
    found = {lacking: 1.0}
    for part in left if len(left) > 1 else ():  # of one alone the direction is the same
        if more := weights.get(part, 1.0) - 1:
            found[lacking] += more
            found[lacking | {part}] = -more
    return found


def weighing(read: Collection[str], weights: Mapping[str, float]) -> tuple[str, ...]:
    """Return those of `read` that do not weigh 0."""
    return tuple(part for part in read if weights.get(part, 1.0))


def mixed(vectors: Mapping[Parts, np.ndarray], shares: Mixture) -> np.ndarray:
    """Return the directions [n, e], float32, of sums of `vectors` [n, e]; a single one as it is."""
    if len(shares) == 1:
        (parts,) = shares
        return vectors[parts]
    total = np.sum([share * vectors[parts].astype(np.float64) for parts, share in shares.items()], axis=0)
    return np.stack([directed(row) for row in total]).astype(np.float32)


def steered(vector: np.ndarray, liked: Sequence[np.ndarray], disliked: Sequence[np.ndarray]) -> np.ndarray:
    """Return the unit vector [e] of a query `vector`, zero where there is none, with unit vectors [e] of tracks."""
    total = vector
    if liked:
        total = total + directed(np.sum(liked, axis=0))
    if disliked:
        total = total - LESS * directed(np.sum(disliked, axis=0))
    return directed(total) if liked or disliked else vector


def directed(vector: np.ndarray) -> np.ndarray:
    """Return the unit vector; raise `ModelError` where there is no direction."""
    length = np.linalg.norm(vector)
    if not length >= LEAST_LENGTH:
        raise ModelError("what is given cancels out: change a weight, or a track to find more or less like")
    return vector / length
