"""The figures of the published evaluation, for comparison with its tables only.

They pool the ranks of all tracks of all films into one list, so a film counts as often as it has tracks, and perfect
retrieval does not reach 1. The "NDCG" compares with a list whose first places are all relevant, as many as there are
ranks. Tied tracks count as everywhere here, by expectation.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import gains_of, share_among_first, summed
from pipeline.evaluate.ranks import Ranks


def pooled_figures(ranks: Ranks, ks: Sequence[int]) -> dict[str, float]:
    """Return the figures over the pooled ranks of every relevant track of every film."""
    pooled = int(ranks.own.sum())
    share = ranks.own / ranks.tied
    gained = np.sum(share * summed(ranks, gains_of(ranks.candidates)))
    return {
        **{f"recall_at_{k}": float(np.sum(ranks.own * share_among_first(ranks, k)) / pooled) for k in ks},
        "mrr": float(np.sum(share * summed(ranks, 1.0 / np.arange(1, ranks.candidates + 1))) / pooled),
        "ndcg": float(gained / np.sum(gains_of(pooled))),
        "median_rank": float(np.median(ranks.expected)),
        "mean_rank": float(np.mean(ranks.expected)),
    }
