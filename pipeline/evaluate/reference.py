"""The figures of the published evaluation, for comparison with its tables only.

They pool the ranks of all tracks of all films into one list R, so a film counts as often as it has tracks, and perfect
retrieval does not reach 1. The "NDCG" compares with a list whose first |R| places are all relevant.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import gain


def pooled_figures(ranks: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """Return the figures over the pooled `ranks` of every relevant track of every film, in any order."""
    return {
        **{f"recall_at_{k}": float(np.mean(ranks <= k)) for k in ks},
        "mrr": float(np.mean(1.0 / ranks)),
        "ndcg": float(gain(ranks) / gain(np.arange(1, len(ranks) + 1))),
        "median_rank": float(np.median(ranks)),
        "mean_rank": float(np.mean(ranks)),
    }
