"""Paired comparison of variants: which differences are significant, and which variant is best for which film.

All variants are evaluated on the same films; a pair is compared by its differences per film. Intervals are percentile
bootstrap intervals over films. P-values are those of a two-sided paired randomisation test (Fisher): under the null
hypothesis each film's difference has either sign with equal probability. Holm's correction (Holm 1979, A Simple
Sequentially Rejective Multiple Test Procedure) keeps the family-wise error rate over all pairs below `ALPHA`.

Axes: n film, p pair, b resample.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.compare.results import Result
from pipeline.evaluate.bootstrap import draws

ALPHA = 0.05  # matches the 95 % intervals
BLOCK = 1000  # sign changes in memory at a time
EQUAL = 1e-12  # tolerance for a sum taken in another order


@dataclass(frozen=True)
class Difference:
    """`first` minus `second`: mean over films, 95 % interval, p-value, and p-value corrected over all pairs."""

    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def real(self) -> bool:
        """Whether the difference is significant at `ALPHA` after correction."""
        return self.p_holm <= ALPHA


@dataclass(frozen=True)
class Wins:
    """Ids of films on which a variant is best `alone`, on which it has a `shared` best value with some other variants,
    on which all variants have the `same` value, and on which that value is 0 (`missed`).
    """

    alone: dict[str, list[str]]
    shared: dict[str, list[str]]
    same: list[str]
    missed: list[str]


def compare_pairs(values: dict[str, np.ndarray], samples: int, permutations: int, seed: int) -> list[Difference]:
    """Return the difference of every pair of variants, in order; `values[variant]` is float [n], films aligned.

    Intervals use `samples` resamples and p-values `permutations` sign changes, the same for all pairs.
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
    """Return the lower and upper ends [p] of the 95 % intervals of the mean over films of `differences` [n, p]."""
    films = len(differences)
    means = [weights @ differences / films for weights in draws(films, samples, generator)]
    low, high = np.quantile(np.concatenate(means), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    return low, high


def randomisation_test(differences: np.ndarray, permutations: int, generator: np.random.Generator) -> np.ndarray:
    """Return two-sided p-values [p] of `differences` [n, p]; never 0, as the observed signs count as one draw."""
    observed = np.abs(differences.sum(axis=0)) - EQUAL
    as_extreme = np.ones_like(observed)
    for start in range(0, permutations, BLOCK):
        size = min(BLOCK, permutations - start)
        signs = generator.integers(0, 2, (size, len(differences)), dtype=np.int8) * 2.0 - 1.0  # [b, n]
        as_extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
    return as_extreme / (permutations + 1)


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm-corrected p-values [p]: the i-th smallest of m times (m − i + 1), made non-decreasing, at most 1."""
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def within_reach(films: int, pairs: int, permutations: int) -> bool:
    """Whether any difference can be significant at `ALPHA` with this number of films, pairs and permutations."""
    smallest = max(2.0 ** (1 - films), 1 / (permutations + 1))
    return smallest * pairs <= ALPHA


def wins_of(results: list[Result], metric: str) -> Wins:
    """Return the wins of all variants by `metric`, a column of their rankings where higher is better."""
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
