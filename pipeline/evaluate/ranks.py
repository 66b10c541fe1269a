"""Ranks of the relevant candidates of many queries, with ties.

Candidates with equal scores form a group whose order is arbitrary: every metric is its expectation over all orders of
each group (McSherry and Najork 2008, Computing Information Retrieval Performance Measures Efficiently in the Presence
of Tied Scores). A ranking without ties has groups of one; a random ranking is a single group of all candidates.

The rank of the first of r relevant candidates among m in random order has the negative hypergeometric distribution: it
exceeds j with probability S(j) = Π_{i<j} (m − r − i) / (m − i) = C(m − j, r) / C(m, r), the hypergeometric probability
of none in the top j.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np


@dataclass(frozen=True)
class Ranks:
    """The groups of equal scores with a relevant candidate, int64 [g], by query and from best to worst.

    Every query has at least one group. A group has the ranks `above` + 1 … `above` + `tied`.
    """

    query: np.ndarray  # 0 … n − 1
    above: np.ndarray  # number of candidates with a higher score
    tied: np.ndarray  # number of candidates with this score
    own: np.ndarray  # number of relevant ones among them
    candidates: int  # per query

    @cached_property
    def first(self) -> np.ndarray:
        """The row of each query's best group, [n]."""
        return np.flatnonzero(np.diff(self.query, prepend=-1))

    @cached_property
    def relevant(self) -> np.ndarray:
        """The number of relevant candidates of each query, [n]."""
        return self.sums(self.own)

    @cached_property
    def before(self) -> np.ndarray:
        """The number of relevant candidates of the query in better groups, [g]."""
        through = np.cumsum(self.own)
        return through - self.own - (through - self.own)[self.first][self.query]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of `values` [g] over the groups of each query, [n]."""
        return np.add.reduceat(values, self.first)

    @cached_property
    def expected(self) -> np.ndarray:
        """The expected rank of every relevant candidate, by query, ascending; x.5 for a group of even size."""
        return np.repeat(self.above + (self.tied + 1) / 2, self.own)


def grouped(query: np.ndarray, above: np.ndarray, tied: np.ndarray, candidates: int) -> Ranks:
    """Return `Ranks` from one row per relevant candidate, in any order within a query; `query` is non-decreasing."""
    order = np.lexsort((above, query))
    query, above, tied = query[order], above[order], tied[order]
    starts = np.flatnonzero((np.diff(query, prepend=-1) != 0) | (np.diff(above, prepend=-1) != 0))
    own = np.diff(starts, append=len(query))
    return Ranks(query[starts], above[starts], tied[starts], own, candidates)


def at_random(relevant: Sequence[int] | np.ndarray, candidates: int) -> Ranks:
    """Return `Ranks` of random rankings: all candidates tied, with `relevant` relevant ones per query."""
    own = np.asarray(relevant, np.int64)
    return Ranks(np.arange(len(own)), np.zeros_like(own), np.full_like(own, candidates), own, candidates)


def at_best(relevant: Sequence[int] | np.ndarray, candidates: int) -> Ranks:
    """Return `Ranks` of perfect rankings: each query's `relevant` candidates come first."""
    own = np.asarray(relevant, np.int64)
    return Ranks(np.arange(len(own)), np.zeros_like(own), own, own, candidates)


def none_among_first(relevant: int, candidates: int) -> np.ndarray:
    """Return S(0) … S(m), float64 [m + 1]: the probability of no relevant candidate in the top j."""
    before = np.arange(candidates)
    return np.cumprod(np.concatenate([[1.0], np.maximum(candidates - relevant - before, 0) / (candidates - before)]))


def any_among_first(places: int, relevant: int, candidates: int) -> float:
    """Return 1 − S(`places`), correctly rounded, computed with integers."""
    orders = comb(candidates, relevant)
    return (orders - comb(candidates - places, relevant)) / orders


def expected_reciprocal(relevant: int, candidates: int, above: int) -> float:
    """Return the expected value of 1 / (`above` + j), where j is the place of the first relevant candidate."""
    places = np.arange(1, candidates + 1)
    first = none_among_first(relevant, candidates)[:-1] * relevant / (candidates + 1 - places)  # P(first = j)
    return float(np.sum(first / (above + places)))
