"""Expected value of every metric under a random ranking, given each query's number of relevant candidates, averaged.

Values are exact, or accurate to about ten digits for many candidates. A random ranking is one with all candidates tied,
for which the metrics return their expectations; `median_rank` is the expected median over queries with independent
rankings.

For recordings, a random ranking is a uniformly random order of the recordings. A random order of their segments, with
each recording at its first segment's rank, would be different: it favours recordings with many segments.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import BEST_RANK, query_metrics
from pipeline.evaluate.ranks import at_random, none_among_first

NEGLIGIBLE = 1e-15  # probabilities and terms below are left out
SAMPLES = 4096  # for sums over more ranks


def chance_metrics(relevant: Sequence[int] | np.ndarray, candidates: int, ks: Sequence[int]) -> dict[str, float]:
    """Return the expected value of every average over queries with `relevant` of `candidates` each."""
    numbers, counts = np.unique(relevant, return_counts=True)
    columns = query_metrics(at_random(numbers, candidates), ks)
    expected = {name: float(np.average(values, weights=counts)) for name, values in columns.items()}
    mean_rank = expected.pop(BEST_RANK)
    return expected | {"median_rank": expected_median_rank(numbers, counts, candidates), "mean_rank": mean_rank}


def expected_median_rank(numbers: np.ndarray, counts: np.ndarray, candidates: int) -> float:
    """Return the expected median best rank of `counts` queries with `numbers` relevant candidates each.

    The k-th smallest of n independent ranks exceeds j if fewer than k of them are at most j; its expectation is the sum
    of that probability over all j. For an even n the median is the mean of the two middle ranks.
    """
    queries = int(counts.sum())
    within = np.stack([1.0 - none_among_first(int(number), candidates) for number in numbers])[:, :-1]  # [u, j]
    middle = [(queries - 1) // 2 + 1, queries // 2 + 1]
    return float(np.mean([_summed(k, within, counts) for k in middle]))


def fewer_than(k: int, chances: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the probability [j] of fewer than k of `counts` [u] independent events with `chances` [u, j].

    The Poisson binomial distribution by its characteristic function (Hong 2013, On computing the distribution function
    for the Poisson binomial distribution, eq. 7), rounded to 0 or 1 where Hoeffding's inequality allows it.
    """
    events = int(counts.sum())
    means = counts @ chances
    result = (means < k).astype(np.float64)
    for j in _in_doubt(k, means, events):
        result[j] = _fewer_than(k, chances[:, j], counts, events)
    return result


def _summed(k: int, chances: np.ndarray, counts: np.ndarray) -> float:
    """Return the sum of `fewer_than` over all j, with chances increasing in j.

    For many ranks only every `step`-th is computed: the summand is smooth and flat at both ends, so that by the
    Euler–Maclaurin formula the trapezoidal rule with this step agrees with step 1 to the digits kept. For up to three
    events it is not flat.
    """
    events = int(counts.sum())
    means = counts @ chances
    doubtful = _in_doubt(k, means, events)
    step = len(doubtful) // SAMPLES
    if step < 2 or min(k, events - k + 1) < 2:
        return float(np.sum(fewer_than(k, chances, counts)))
    last = (len(doubtful) - 1) // step * step
    sampled = fewer_than(k, chances[:, doubtful[: last + 1 : step]], counts)
    rest = fewer_than(k, chances[:, doubtful[last + 1 :]], counts)
    in_doubt = step * sampled.sum() - (step - 1) / 2 * (sampled[0] + sampled[-1]) + rest.sum()
    return float(doubtful[0] + in_doubt)  # the summand is 1 before these ranks, 0 after


def _in_doubt(k: int, means: np.ndarray, events: int) -> np.ndarray:
    """Return the indices of `means` for which it is uncertain whether the number of events is below k."""
    return np.flatnonzero(np.abs(means - k) <= np.sqrt(events * np.log(1 / NEGLIGIBLE) / 2) + 1)


def _fewer_than(k: int, chances: np.ndarray, counts: np.ndarray, events: int) -> float:
    if k > events:
        return 1.0
    variance = counts @ (chances * (1 - chances))
    angles = 2 * np.pi * np.arange(1, (events + 1) // 2 + 1) / (events + 1)  # the others are their conjugates
    angles = angles[2 * variance * np.sin(angles / 2) ** 2 <= -np.log(NEGLIGIBLE)]  # the rest is negligible
    turns = np.exp(1j * angles)
    with np.errstate(divide="ignore"):  # chance 1/2 at half a turn: log(0), whose exponential is 0
        law = np.exp(counts @ np.log1p(chances[:, np.newaxis] * (turns - 1)))
    terms = np.real(law * (1 - turns**-k) / (1 - 1 / turns))
    weights = np.where(np.isclose(angles, np.pi), 1.0, 2.0)
    return float(np.clip((k + np.sum(weights * terms)) / (events + 1), 0.0, 1.0))
