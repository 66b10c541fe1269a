"""Retrieval metrics of one query from the ranks of its relevant tracks, and their averages over queries.

`ranks` are the 1-based ranks of all relevant tracks of one query, ascending, float64 or int; there is at least one.
A cut-off k may exceed the number of candidates.
"""

from collections.abc import Mapping, Sequence

import numpy as np

NDCG_CUT = 10  # of `ndcg_at_10`, the cut that retrieval benchmarks report (Thakur et al. 2021, BEIR)
BEST_RANK = "best_rank"

Columns = Mapping[str, np.ndarray]  # a metric: its value for each query


def hit_rate_at(ranks: np.ndarray, k: int) -> float:
    """Return 1 when any relevant track is among the first k, else 0 (Karypis 2001, section 5.1)."""
    return float(ranks[0] <= k)


def recall_at(ranks: np.ndarray, k: int) -> float:
    """Return |{r ≤ k}| / |r|, the share of the relevant tracks among the first k (Manning et al. 2008, eq. 8.2)."""
    return float(np.mean(ranks <= k))


def reciprocal_rank(ranks: np.ndarray) -> float:
    """Return 1 / r₁, of the first relevant track (Voorhees 1999, TREC-8 question answering track)."""
    return float(1.0 / ranks[0])


def average_precision(ranks: np.ndarray) -> float:
    """Return (1/|r|) Σᵢ i / rᵢ, the mean precision at the relevant tracks (Manning et al. 2008, eq. 8.8)."""
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def ndcg_at(ranks: np.ndarray, k: int) -> float:
    """Return Σ_{r ≤ k} 1/log₂(r + 1) over the same sum of ranks 1 … min(k, |r|) (Järvelin and Kekäläinen 2002)."""
    return float(gain(ranks[ranks <= k]) / gain(np.arange(1, min(k, len(ranks)) + 1)))


def ndcg(ranks: np.ndarray) -> float:
    """Return `ndcg_at` without a cut-off."""
    return float(gain(ranks) / gain(np.arange(1, len(ranks) + 1)))


def gain(ranks: np.ndarray) -> np.float64:
    """Return the discounted cumulative gain of relevant tracks at `ranks`, Σ 1/log₂(r + 1)."""
    return np.sum(1.0 / np.log2(np.asarray(ranks) + 1.0))


def query_metrics(ranks: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """Return every metric of one query by name, in the order of the metrics file."""
    return {
        **{f"hit_rate_at_{k}": hit_rate_at(ranks, k) for k in ks},
        **{f"recall_at_{k}": recall_at(ranks, k) for k in ks},
        "mrr": reciprocal_rank(ranks),
        "map": average_precision(ranks),
        f"ndcg_at_{NDCG_CUT}": ndcg_at(ranks, NDCG_CUT),
        "ndcg": ndcg(ranks),
    }


def over_films(columns: Columns) -> dict[str, float]:
    """Return the mean of each column, and of `best_rank` both `median_rank` and `mean_rank`."""
    means = {name: float(np.mean(values)) for name, values in columns.items() if name != BEST_RANK}
    best = columns[BEST_RANK]
    return means | {"median_rank": float(np.median(best)), "mean_rank": float(np.mean(best))}
