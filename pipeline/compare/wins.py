"""Which variant serves which film best, film by film."""

from dataclasses import dataclass

import numpy as np

from pipeline.compare.results import Result

EQUAL = 1e-12  # the same value, summed in another order, differs by less


@dataclass(frozen=True)
class Wins:
    """Ids of films: those on which each variant is best `alone`, those on which it `shared` the best value with some
    others, and those on which all variants have the `same` value, `missed` where that value is 0.
    """

    alone: dict[str, list[str]]
    shared: dict[str, list[str]]
    same: list[str]
    missed: list[str]


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
