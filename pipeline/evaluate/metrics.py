"""Retrieval metrics of every query from the ranks of its relevant candidates, and their averages over queries.

In the formulas r₁ < r₂ < … are the ranks of the R relevant candidates of a query, 1 = best; with ties each metric is
its expectation over all orders (`pipeline.evaluate.ranks`). A metric is float64 [n], one value per query. A cut-off k
may exceed the number of candidates.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluate.ranks import Ranks, any_among_first, at_best, expected_reciprocal

NDCG_CUT = 10  # as in retrieval benchmarks (Thakur et al. 2021, BEIR)
BEST_RANK = "best_rank"

Columns = Mapping[str, np.ndarray]  # values per query by metric


def hit_rate_at(ranks: Ranks, k: int) -> np.ndarray:
    """Return 1 if any relevant candidate is in the top k, else 0 (Karypis 2001, section 5.1)."""
    above, tied, own = ranks.above[ranks.first], ranks.tied[ranks.first], ranks.own[ranks.first]
    found = (above < k).astype(np.float64)
    for row in np.flatnonzero((above < k) & (k < above + tied) & (own < tied)):  # k cuts through a group
        found[row] = any_among_first(int(k - above[row]), int(own[row]), int(tied[row]))
    return found


def recall_at(ranks: Ranks, k: int) -> np.ndarray:
    """Return |{r ≤ k}| / R, the share of the relevant candidates in the top k (Manning et al. 2008, eq. 8.2)."""
    return ranks.sums(ranks.own * share_among_first(ranks, k)) / ranks.relevant


def reciprocal_rank(ranks: Ranks) -> np.ndarray:
    """Return 1 / r₁, of the first relevant candidate (Voorhees 1999, TREC-8 question answering track)."""
    above, tied, own = ranks.above[ranks.first], ranks.tied[ranks.first], ranks.own[ranks.first]
    found = 1.0 / (above + 1)
    for row in np.flatnonzero(own < tied):
        found[row] = expected_reciprocal(int(own[row]), int(tied[row]), int(above[row]))
    return found


def average_precision(ranks: Ranks) -> np.ndarray:
    """Return (1/R) Σᵢ i / rᵢ, the mean precision at the relevant candidates (Manning et al. 2008, eq. 8.8).

    In a group of m tied candidates at ranks g + 1 … g + m, of which o are relevant, preceded by b relevant ones, place
    j is relevant with probability o/m; the expected number of relevant candidates up to it is then
    b + 1 + (o − 1)(j − 1)/(m − 1).
    """
    inverse = summed(ranks, 1.0 / np.arange(1, ranks.candidates + 1))
    later = ranks.tied - (ranks.above + 1) * inverse  # Σⱼ (j − 1) / (g + j)
    others = np.where(ranks.own > 1, (ranks.own - 1) * later / np.maximum(ranks.tied - 1, 1), 0.0)
    return ranks.sums(ranks.own / ranks.tied * ((ranks.before + 1) * inverse + others)) / ranks.relevant


def ndcg_at(ranks: Ranks, k: int) -> np.ndarray:
    """Return Σ_{r ≤ k} 1/log₂(r + 1), divided by the sum for ranks 1 … min(k, R) (Järvelin and Kekäläinen 2002)."""
    gains = gains_of(ranks.candidates)
    gains[k:] = 0.0
    ideal = np.cumsum(gains)[ranks.relevant - 1]
    return ranks.sums(ranks.own / ranks.tied * summed(ranks, gains)) / ideal


def ndcg(ranks: Ranks) -> np.ndarray:
    """Return `ndcg_at` without a cut-off."""
    return ndcg_at(ranks, ranks.candidates)


def best_rank(ranks: Ranks) -> np.ndarray:
    """Return r₁; within a tied group of m with o relevant candidates it is expected at (m + 1) / (o + 1)."""
    first = ranks.first
    return ranks.above[first] + (ranks.tied[first] + 1) / (ranks.own[first] + 1)


def gains_of(places: int) -> np.ndarray:
    """Return the discounted gain of a relevant candidate at each rank, 1/log₂(r + 1)."""
    return 1.0 / np.log2(np.arange(2, places + 2))


def share_among_first(ranks: Ranks, k: int) -> np.ndarray:
    """Return the share of each group's places in the top k, [g]."""
    return np.clip(k - ranks.above, 0, ranks.tied) / ranks.tied


def summed(ranks: Ranks, values: np.ndarray) -> np.ndarray:
    """Return the sum of `values` [candidates], one per rank, over the ranks of each group, [g]."""
    through = np.concatenate([[0.0], np.cumsum(values)])
    several = through[ranks.above + ranks.tied] - through[ranks.above]
    return np.where(ranks.tied > 1, several, values[ranks.above])


def query_metrics(ranks: Ranks, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Return every metric by name, in the order of the metrics file, and `best_rank`."""
    return {
        **{f"hit_rate_at_{k}": hit_rate_at(ranks, k) for k in ks},
        **{f"recall_at_{k}": recall_at(ranks, k) for k in ks},
        "mrr": reciprocal_rank(ranks),
        "map": average_precision(ranks),
        f"ndcg_at_{NDCG_CUT}": ndcg_at(ranks, NDCG_CUT),
        "ndcg": ndcg(ranks),
        BEST_RANK: best_rank(ranks),
    }


def averages(columns: Columns) -> dict[str, float]:
    """Return the mean of each column, and the `median_rank` and `mean_rank` of `best_rank`."""
    means = {name: float(np.mean(values)) for name, values in columns.items() if name != BEST_RANK}
    best = columns[BEST_RANK]
    return means | {"median_rank": float(np.median(best)), "mean_rank": float(np.mean(best))}


def ceiling_metrics(relevant: Sequence[int] | np.ndarray, candidates: int, ks: Sequence[int]) -> dict[str, float]:
    """Return every average under perfect rankings, for queries with `relevant` of `candidates` each.

    It is 1 except for recall, as the top k hold at most min(k, R) of R relevant candidates.
    """
    return averages(query_metrics(at_best(relevant, candidates), ks))


def pooled_figures(ranks: Ranks, ks: Sequence[int]) -> dict[str, float]:
    """Return the metrics of the published evaluation, only for comparison with its tables.

    They pool the ranks of all tracks of all films into one list, so that films are weighted by their number of tracks,
    and perfect retrieval does not reach 1. The "NDCG" is relative to one list with all pooled tracks at its top. Tied
    tracks count by expectation.
    """
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
