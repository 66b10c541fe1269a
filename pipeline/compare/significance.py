"""Which variant is better, judged film by film: which differences are real, and which variant serves which film best.

All variants answer the same films, so a pair is compared by the differences on each film. The interval is a percentile
bootstrap over films. The p-value is of a two-sided paired randomisation test (Fisher): were both variants equally
good, each film's difference might as well have the other sign. Holm's correction (Holm 1979, A Simple Sequentially
Rejective Multiple Test Procedure) keeps the chance of even one false claim among all pairs under `ALPHA`.

Axes: n film, p pair, b resample.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.compare.results import Result
from pipeline.evaluate.bootstrap import draws

ALPHA = 0.05  # goes with the 95 % intervals
BLOCK = 1000  # sign changes held at once
EQUAL = 1e-12  # the same value, summed in another order, differs by less


@dataclass(frozen=True)
class Difference:
    """`first` minus `second`: mean over films, 95 % interval, p-value, and p-value corrected for all pairs."""

    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def real(self) -> bool:
        """Whether the difference holds at `ALPHA` after correction."""
        return self.p_holm <= ALPHA


@dataclass(frozen=True)
class Wins:
    """Ids of films: those on which each variant is best `alone`, those on which it `shared` the best value with some
    others, and those on which all variants have the `same` value, `missed` where that value is 0.
    """

    alone: dict[str, list[str]]
    shared: dict[str, list[str]]
    same: list[str]
    missed: list[str]


def compare_pairs(values: dict[str, np.ndarray], samples: int, permutations: int, seed: int) -> list[Difference]:
    """Return the difference of every pair of variants, in their order; `values[variant]` is float [n], films aligned.

    `samples` resamples make the intervals, `permutations` sign changes the p-values: the same ones for all pairs.
    """
    pairs = list(combinations(values, 2))
    if not pairs:
        return []
    differences = np.stack([values[first] - values[second] for first, second in pairs], axis=1)  # [n, p]
    means = differences.mean(axis=0)
    bootstrap_seed, signs_seed = np.random.SeedSequence(seed).spawn(2)
    lows, highs = bootstrap_intervals(differences, samples, np.random.default_rng(bootstrap_seed))
    p = randomisation_test(differences, permutations, np.random.default_rng(signs_seed))
    columns = [array.tolist() for array in (means, lows, highs, p, holm(p))]
    return [Difference(*pair, *numbers) for pair, *numbers in zip(pairs, *columns, strict=True)]


def bootstrap_intervals(
    differences: np.ndarray, samples: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the low and high ends [p] of the 95 % intervals of the mean over films of `differences` [n, p]."""
    films = len(differences)
    means = [weights @ differences / films for weights in draws(films, samples, generator)]
    low, high = np.quantile(np.concatenate(means), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    return low, high


def randomisation_test(differences: np.ndarray, permutations: int, generator: np.random.Generator) -> np.ndarray:
    """Return the two-sided p-values [p] of `differences` [n, p]; never 0, for the observed signs count as one draw."""
    observed = np.abs(differences.sum(axis=0)) - EQUAL
    as_extreme = np.ones_like(observed)
    for start in range(0, permutations, BLOCK):
        size = min(BLOCK, permutations - start)
        signs = generator.integers(0, 2, (size, len(differences)), dtype=np.int8) * 2.0 - 1.0  # [b, n]
        as_extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
    return as_extreme / (permutations + 1)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values [p] corrected by Holm: the i-th smallest times the number of those not smaller, never falling."""
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def within_reach(films: int, pairs: int, permutations: int) -> bool:
    """Whether any difference could be called real at all with so few films, so many pairs and so few permutations."""
    smallest = max(2.0 ** (1 - films), 1 / (permutations + 1))
    return smallest * pairs <= ALPHA


def wins_of(results: list[Result], metric: str) -> Wins:
    """Return the wins of all variants by `metric`, a column of their rankings of which more is better."""
    values = np.stack([result.rankings[metric].to_numpy() for result in results])  # [variant, n]
    top = values.max(axis=0)
    best = values >= top - EQUAL
    count = best.sum(axis=0)
    fids = results[0].rankings["fid"].to_numpy()
    same = count == len(results)
    variants = [result.variant for result in results]
    return Wins(
        alone={name: fids[row & (count == 1) & ~same].tolist() for name, row in zip(variants, best, strict=True)},
        shared={name: fids[row & (count > 1) & ~same].tolist() for name, row in zip(variants, best, strict=True)},
        same=fids[same].tolist(),
        missed=fids[same & (top <= EQUAL)].tolist(),
    )
