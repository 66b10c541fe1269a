"""Confidence intervals of averages: the percentile bootstrap over films (Efron and Tibshirani 1993, section 13.3).

Films are resampled, as results must generalise to other films. A film with several queries (from music to films, each
of its tracks is one) contributes all of them per draw: the cluster bootstrap (Davison and Hinkley 1997, section 3.8).
"""

from collections.abc import Iterator

import numpy as np

from pipeline.evaluate.metrics import BEST_RANK, Columns

TAILS = (0.025, 0.975)  # of a 95 % interval
BLOCK = 1 << 21  # weights in memory at a time: 16 MB


def confidence_intervals(
    columns: Columns, samples: int, seed: int, films: np.ndarray | None = None
) -> dict[str, list[float]]:
    """Return the interval [low, high] of every average, from `samples` resamples of the films.

    `films` [n] is the film of each query, numbered from 0 without gaps; by default every query is a film of its own.
    """
    films = np.arange(len(columns[BEST_RANK])) if films is None else films
    means = [name for name in columns if name != BEST_RANK]
    number = int(films.max()) + 1
    totals = np.zeros((number, len(means) + 2))  # the metrics, the best rank, and 1
    np.add.at(
        totals, films, np.column_stack([*(columns[name] for name in means), columns[BEST_RANK], np.ones(len(films))])
    )
    order = np.argsort(columns[BEST_RANK], kind="stable")
    best, owners = columns[BEST_RANK][order], films[order]
    drawn, medians = [], []
    for weights in draws(number, samples, np.random.default_rng(seed), width=len(films)):
        sums = weights @ totals
        drawn.append(sums[:, :-1] / sums[:, -1:])
        medians.append(_medians(best, weights[:, owners]))
    ends = np.quantile(np.concatenate(drawn), TAILS, axis=0).T
    intervals = dict(zip(means, ends.tolist(), strict=False))
    return intervals | {
        "median_rank": np.quantile(np.concatenate(medians), TAILS).tolist(),
        "mean_rank": ends[-1].tolist(),
    }


def draws(films: int, samples: int, generator: np.random.Generator, width: int | None = None) -> Iterator[np.ndarray]:
    """Yield the number of times each film is drawn, float64 [b, films], in blocks of `samples` draws in total.

    Blocks have at most `BLOCK` numbers with `width` numbers per draw (default: `films`).
    """
    size = max(1, BLOCK // max(films, width or 0))
    for start in range(0, samples, size):
        yield generator.multinomial(films, np.full(films, 1 / films), min(size, samples - start)).astype(np.float64)


def _medians(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the median of each draw: of ascending `values` [n], repeated `weights` [b, n] times."""
    through = np.cumsum(weights, axis=1)
    total = through[:, -1]
    middle = [np.argmax(through > place[:, np.newaxis], axis=1) for place in ((total - 1) // 2, total // 2)]
    return (values[middle[0]] + values[middle[1]]) / 2
