"""Steer a query: weights of its parts, tracks to find more of, and tracks to find less of.

A weight w of a part interpolates between the query without that part (0) and the whole query (1), and extrapolates
beyond (2): q(w) = q + (w - 1)(q - q without the part), normalized. A part of weight 0 is left out of all these queries.

Liked and disliked tracks are relevance feedback (Rocchio 1971, Relevance feedback in information retrieval): the query
moves towards the mean of the liked ones and away from the mean of the others, which weighs less, as is usual (Manning
et al. 2008, Introduction to Information Retrieval, section 9.1.1).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.apps.recommend.query import WHOLE, Parts
from pipeline.core.errors import ModelError

MOST_WEIGHT = 2.0
LESS = 0.25  # weight of disliked tracks relative to the query; chosen in docs/recommending.md
LEAST_LENGTH = 1e-4  # minimum norm of a sum of unit vectors; below it the direction is undefined

Mixture = Mapping[Parts, float]  # coefficients of a weighted sum of queries, by the parts left out of each


def mixture(read: Collection[str], weights: Mapping[str, float], without: Parts = WHOLE) -> Mixture:
    """Return the mixture for a query whose parts `read` have `weights` (default: 1).

    The parts `without` are also left out; at least one part with a weight must remain. Raises `ModelError` if all
    weights are 0.
    """
    lacking = frozenset(part for part in read if weights.get(part, 1.0) == 0) | without
    left = [part for part in read if part not in lacking]
    if not left:
        raise ModelError(f"weights: found 0 for {' and '.join(read)}, all parts of the query: increase one of them")
    found = {lacking: 1.0}
    for part in left if len(left) > 1 else ():  # a single part has the same direction at any weight
        if more := weights.get(part, 1.0) - 1:
            found[lacking] += more
            found[lacking | {part}] = -more
    return found


def weighing(read: Collection[str], weights: Mapping[str, float]) -> tuple[str, ...]:
    """Return the parts in `read` whose weight is not 0."""
    return tuple(part for part in read if weights.get(part, 1.0))


def mixed(vectors: Mapping[Parts, np.ndarray], shares: Mixture) -> np.ndarray:
    """Return the normalized sums [n, e], float32, of `vectors` [n, e]; a single vector is returned unchanged."""
    if len(shares) == 1:
        (parts,) = shares
        return vectors[parts]
    total = np.sum([share * vectors[parts].astype(np.float64) for parts, share in shares.items()], axis=0)
    return np.stack([directed(row) for row in total]).astype(np.float32)


def steered(vector: np.ndarray, liked: Sequence[np.ndarray], disliked: Sequence[np.ndarray]) -> np.ndarray:
    """Return the unit vector [e] of a query `vector` (zero: no query) moved by the unit vectors [e] of tracks."""
    total = vector
    if liked:
        total = total + directed(np.sum(liked, axis=0))
    if disliked:
        total = total - LESS * directed(np.sum(disliked, axis=0))
    return directed(total) if liked or disliked else vector


def directed(vector: np.ndarray) -> np.ndarray:
    """Return `vector` normalized; raise `ModelError` if it is too short to have a direction."""
    length = np.linalg.norm(vector)
    if not length >= LEAST_LENGTH:
        raise ModelError("the parts of the query cancel out: change a weight, or a track to find more or less of")
    return vector / length
