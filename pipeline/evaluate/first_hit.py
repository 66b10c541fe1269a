"""How far down the first relevant candidate stands when the order is random: the negative hypergeometric law.

Of m candidates in random order, r are relevant. The first relevant one stands behind place j with probability
S(j) = Π_{i<j} (m − r − i) / (m − i) = C(m − j, r) / C(m, r), the hypergeometric chance of none among the first j.
"""

from math import comb

import numpy as np


def none_among_first(relevant: int, candidates: int) -> np.ndarray:
    """Return S(0) … S(m), float64 [m + 1]: the probability that no relevant candidate is among the first j."""
    before = np.arange(candidates)
    return np.cumprod(np.concatenate([[1.0], np.maximum(candidates - relevant - before, 0) / (candidates - before)]))


def any_among_first(places: int, relevant: int, candidates: int) -> float:
    """Return 1 − S(`places`), correctly rounded, as it is computed in whole numbers."""
    orders = comb(candidates, relevant)
    return (orders - comb(candidates - places, relevant)) / orders


def expected_reciprocal(relevant: int, candidates: int, above: int) -> float:
    """Return the expectation of 1 / (`above` + j), where j is the place of the first relevant candidate."""
    places = np.arange(1, candidates + 1)
    first = none_among_first(relevant, candidates)[:-1] * relevant / (candidates + 1 - places)  # P(first = j)
    return float(np.sum(first / (above + places)))
