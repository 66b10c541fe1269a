"""Hubness: in a space of many dimensions a few candidates stand near everything, and crowd the top of every ranking.

N₁₀ of a candidate is how many queries have it among their first ten (Radovanović, Nanopoulos and Ivanović 2010, Hubs in
Space). Without hubs N₁₀ is binomial and its skewness near 0.
"""

import numpy as np

TOP = 10


def hubness_of(occurrences: np.ndarray, queries: int) -> dict[str, float]:
    """Return what `occurrences` [candidates], N₁₀ of each, say about hubs among the candidates of `queries` queries.

    k             10, or all candidates where there are fewer
    most          the greatest N₁₀
    never         the share of candidates with N₁₀ = 0, which nobody is ever shown
    skewness      of N₁₀; 0 where all are equal
    chance_never  what `never` is expected to be under random rankings
    """
    k = min(TOP, len(occurrences))
    deviations = occurrences - occurrences.mean()
    spread = float(np.sqrt(np.mean(deviations**2)))
    return {
        "k": k,
        "most": float(occurrences.max()),
        "never": float(np.mean(occurrences == 0)),
        "skewness": float(np.mean(deviations**3) / spread**3) if spread > 1e-9 else 0.0,
        "chance_never": float((1 - k / len(occurrences)) ** queries),
    }
