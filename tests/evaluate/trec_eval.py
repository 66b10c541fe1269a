"""Metrics by trec_eval, an independent program, and an enumeration of the orders of tied candidates."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytrec_eval

from pipeline.evaluate.ranks import Ranks, grouped

Ordered = Sequence[bool]  # relevance of each candidate, from best to worst
Group = tuple[int, int]  # number of candidates with equal scores, and how many of them are relevant


def trec_eval(rankings: Sequence[Ordered], ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the metrics of rankings without ties by our names, float64 [rankings]."""
    qrels = {str(q): {str(i): int(own) for i, own in enumerate(of_query)} for q, of_query in enumerate(rankings)}
    run = {str(q): {str(i): float(-i) for i in range(len(of_query))} for q, of_query in enumerate(rankings)}
    names = {f"hit_rate_at_{k}": f"success_{k}" for k in ks} | {f"recall_at_{k}": f"recall_{k}" for k in ks}
    names |= {"mrr": "recip_rank", "map": "map", "ndcg_at_10": "ndcg_cut_10", "ndcg": "ndcg"}
    cuts = ",".join(map(str, ks))
    measures = {f"success.{cuts}", f"recall.{cuts}", "recip_rank", "map", "ndcg_cut.10", "ndcg"}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return {ours: np.array([found[str(q)][theirs] for q in range(len(rankings))]) for ours, theirs in names.items()}


def orders(groups: Sequence[Group]) -> list[list[bool]]:
    """Return all rankings that tied groups, best first, allow; all are equally likely."""
    of_each = [
        [[place in chosen for place in range(size)] for chosen in combinations(range(size), own)]
        for size, own in groups
    ]
    return [[own for group in order for own in group] for order in product(*of_each)]


def untied(ranks: Sequence[Sequence[int]], candidates: int) -> Ranks:
    """Return `Ranks` of rankings without ties, given the ranks of each query's relevant candidates, 1 = best."""
    query = np.repeat(np.arange(len(ranks)), [len(of_query) for of_query in ranks])
    flat = np.concatenate([np.asarray(of_query, np.int64) for of_query in ranks])
    return grouped(query, flat - 1, np.ones_like(flat), candidates)
