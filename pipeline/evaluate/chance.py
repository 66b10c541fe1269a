"""What every metric is worth under a random ranking: expected for each film's own number of tracks, then averaged.

Of N candidates in random order, R are relevant. The first relevant one stands behind rank j with probability
S(j) = Π_{i<j} (N − R − i) / (N − i), the hypergeometric chance of none among the first j. Everything is exact but
`median_rank`, which is the mean over simulated rankings of all films.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import NDCG_CUT, gain


def chance_metrics(
    relevant: Sequence[int], candidates: int, ks: Sequence[int], samples: int, seed: int
) -> dict[str, float]:
    """Return the expectation of every average over films that have `relevant` tracks among `candidates` each."""
    films = Counter(relevant)
    weights = [count / len(relevant) for count in films.values()]
    expected = [expected_metrics(number, candidates, ks) for number in films]
    result = {
        name: float(sum(weight * of_film[name] for weight, of_film in zip(weights, expected, strict=True)))
        for name in expected[0]
    }
    mean_rank = result.pop("mean_rank")
    return result | {"median_rank": simulated_median_rank(films, candidates, samples, seed), "mean_rank": mean_rank}


def expected_metrics(relevant: int, candidates: int, ks: Sequence[int]) -> dict[str, float]:
    """Return the expectation of every metric of one film with R = `relevant` tracks among N = `candidates`.

    recall K/N; mrr Σ_j P(first = j)/j; map (H_N + (R−1)(N−H_N)/(N−1)) / N (Bestgen 2015); ndcg by linearity, each rank
    relevant with probability R/N; mean_rank (N+1)/(R+1).
    """
    n, r = candidates, relevant
    ranks = np.arange(1, n + 1)
    behind = none_among_first(r, n)
    first = behind[:-1] * r / (n + 1 - ranks)  # P(first = j) = S(j − 1) · R / (N − j + 1)
    harmonic = np.sum(1.0 / ranks)
    pairs = (r - 1) / (n - 1) if n > 1 else 0.0
    cut = min(NDCG_CUT, n)
    return {
        **{f"hit_rate_at_{k}": float(1.0 - behind[min(k, n)]) for k in ks},
        **{f"recall_at_{k}": min(k, n) / n for k in ks},
        "mrr": float(np.sum(first / ranks)),
        "map": float((harmonic + pairs * (n - harmonic)) / n),
        f"ndcg_at_{NDCG_CUT}": float(r / n * gain(ranks[:cut]) / gain(ranks[: min(cut, r)])),
        "ndcg": float(r / n * gain(ranks) / gain(ranks[:r])),
        "mean_rank": (n + 1) / (r + 1),
    }


def none_among_first(relevant: int, candidates: int) -> np.ndarray:
    """Return S(0) … S(N): the probability that no relevant track is among the first j."""
    before = np.arange(candidates)
    return np.cumprod(np.concatenate([[1.0], np.maximum(candidates - relevant - before, 0) / (candidates - before)]))


def simulated_median_rank(films: Counter[int], candidates: int, samples: int, seed: int) -> float:
    """Return the mean, over `samples` random rankings for every film, of the median over films of the best rank.

    `films` counts films by their number of relevant tracks. A best rank is drawn from its exact distribution.
    """
    rng = np.random.default_rng(seed)
    best = np.empty((samples, films.total()), np.int32)
    column = 0
    for relevant, count in films.items():
        within = 1.0 - none_among_first(relevant, candidates)  # P(first ≤ j), from 0 to 1
        drawn = np.searchsorted(within, rng.random((samples, count)), side="right")  # the first j with u < P(first ≤ j)
        best[:, column : column + count] = np.minimum(drawn, candidates)
        column += count
    return float(np.mean(np.median(best, axis=1)))
