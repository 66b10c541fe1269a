"""How sure the averages over films are: the percentile bootstrap (Efron and Tibshirani 1993, section 13.3)."""

import numpy as np

from pipeline.evaluate.metrics import Columns, over_films

TAILS = (0.025, 0.975)  # of a 95 % interval


def confidence_intervals(columns: Columns, samples: int, seed: int) -> dict[str, list[float]]:
    """Return [low, high] of every average, from `samples` draws of as many films with replacement."""
    rng = np.random.default_rng(seed)
    films = len(next(iter(columns.values())))
    draws = []
    for _ in range(samples):
        rows = rng.integers(films, size=films)
        draws.append(over_films({name: values[rows] for name, values in columns.items()}))
    return {name: np.quantile([draw[name] for draw in draws], TAILS).tolist() for name in draws[0]}
