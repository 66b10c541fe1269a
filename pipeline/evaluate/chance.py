"""What every metric is worth under a random ranking: expected for each query's own number of candidates, then averaged.

All of it is exact, among many candidates to some ten digits. A random ranking is one in which all candidates are tied,
so the metrics themselves give their expectations; `median_rank` is the expectation of the median over queries whose
rankings are independent.

Where recordings are ranked, a random ranking is a random order of the recordings, each as likely to be first as any
other. A random order of their segments, in which a recording stands where its first segment does, would be another one:
it favours recordings with many segments.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import BEST_RANK, query_metrics
from pipeline.evaluate.ranks import at_random, none_among_first

NEGLIGIBLE = 1e-15  # probability left out, and share of a sum left out
SAMPLES = 4096  # of a sum over more ranks


def chance_metrics(relevant: Sequence[int] | np.ndarray, candidates: int, ks: Sequence[int]) -> dict[str, float]:
    """Return the expectation of every average over queries that have `relevant` of `candidates` each."""
    numbers, counts = np.unique(relevant, return_counts=True)
    columns = query_metrics(at_random(numbers, candidates), ks)
    expected = {name: float(np.average(values, weights=counts)) for name, values in columns.items()}
    mean_rank = expected.pop(BEST_RANK)
    return expected | {"median_rank": expected_median_rank(numbers, counts, candidates), "mean_rank": mean_rank}


def expected_median_rank(numbers: np.ndarray, counts: np.ndarray, candidates: int) -> float:
    """Return the expectation of the median best rank of `counts` queries with `numbers` relevant candidates each.

    The k-th smallest of n independent ranks exceeds j when fewer than k are at most j, so its expectation is the sum
    of that probability over all j; of an even n the median is the mean of the two in the middle.
    """
    queries = int(counts.sum())
    within = np.stack([1.0 - none_among_first(int(number), candidates) for number in numbers])[:, :-1]  # [u, j]
    middle = [(queries - 1) // 2 + 1, queries // 2 + 1]
    return float(np.mean([_summed(k, within, counts) for k in middle]))


def fewer_than(k: int, chances: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the probability [j] that fewer than k events happen: `counts` [u] independent ones of `chances` [u, j].

    The Poisson binomial law by its characteristic function (Hong 2013, On computing the distribution function for the
    Poisson binomial distribution, eq. 7). Where Hoeffding's inequality leaves no doubt, it is 0 or 1.
    """
    events = int(counts.sum())
    means = counts @ chances
    result = (means < k).astype(np.float64)
    for j in _in_doubt(k, means, events):
        result[j] = _fewer_than(k, chances[:, j], counts, events)
    return result


def _summed(k: int, chances: np.ndarray, counts: np.ndarray) -> float:
    """Return the sum of `fewer_than` over all j, where chances grow with j.

    Of many ranks in doubt every `step`-th is computed: what is summed is smooth and level at both ends, so that the
    trapezoid rule of that step differs from that of step 1, by Euler and Maclaurin's formula, beyond the digits kept.
    It is not level for up to three events.
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
    return float(doubtful[0] + in_doubt)  # before those in doubt it is 1, behind them 0


def _in_doubt(k: int, means: np.ndarray, events: int) -> np.ndarray:
    """Return where, of numbers of events with `means`, it is not certain that they are fewer than k, or that not."""
    return np.flatnonzero(np.abs(means - k) <= np.sqrt(events * np.log(1 / NEGLIGIBLE) / 2) + 1)


def _fewer_than(k: int, chances: np.ndarray, counts: np.ndarray, events: int) -> float:
    if k > events:
        return 1.0
    variance = counts @ (chances * (1 - chances))
    angles = 2 * np.pi * np.arange(1, (events + 1) // 2 + 1) / (events + 1)  # the others are their conjugates
    angles = angles[2 * variance * np.sin(angles / 2) ** 2 <= -np.log(NEGLIGIBLE)]  # the rest is that much smaller
    turns = np.exp(1j * angles)
    with np.errstate(divide="ignore"):  # an event of chance 1/2 at half a turn: log 0, whose exponential is 0
        law = np.exp(counts @ np.log1p(chances[:, np.newaxis] * (turns - 1)))
    terms = np.real(law * (1 - turns**-k) / (1 - 1 / turns))
    weights = np.where(np.isclose(angles, np.pi), 1.0, 2.0)
    return float(np.clip((k + np.sum(weights * terms)) / (events + 1), 0.0, 1.0))
