"""Every metric against a slow obvious oracle, and against torchmetrics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_hit_rate,
    retrieval_normalized_dcg,
    retrieval_recall,
    retrieval_reciprocal_rank,
)

from pipeline.evaluate.metrics import BEST_RANK, ndcg_at, over_films, query_metrics

# Whether each candidate is relevant, from the best-ranked one to the worst.
RANKINGS = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)
CUTS = st.integers(1, 50)


def ranks_of(ranking: list[bool]) -> np.ndarray:
    return np.array([place for place, relevant in enumerate(ranking, 1) if relevant])


def oracle(ranking: list[bool], k: int) -> dict[str, float]:
    hits, precisions, first = 0, [], None
    for place, relevant in enumerate(ranking, 1):
        if relevant:
            hits += 1
            precisions.append(hits / place)
            first = first or place
    total = sum(ranking)

    def dcg(of: list[bool], cut: int) -> float:
        return sum(1 / math.log2(place + 1) for place, relevant in enumerate(of, 1) if relevant and place <= cut)

    ideal = sorted(ranking, reverse=True)
    return {
        f"hit_rate_at_{k}": 1.0 if any(ranking[:k]) else 0.0,
        f"recall_at_{k}": sum(ranking[:k]) / total,
        "mrr": 1 / first,
        "map": sum(precisions) / total,
        "ndcg_at_10": dcg(ranking, 10) / dcg(ideal, 10),
        "ndcg": dcg(ranking, len(ranking)) / dcg(ideal, len(ranking)),
    }


@given(RANKINGS, CUTS)
def test_metrics_equal_a_plain_loop_over_the_ranking(ranking, k):
    found = query_metrics(ranks_of(ranking), [k])
    assert list(found) == [f"hit_rate_at_{k}", f"recall_at_{k}", "mrr", "map", "ndcg_at_10", "ndcg"]
    assert found == pytest.approx(oracle(ranking, k), abs=1e-12)


@given(RANKINGS, CUTS)
def test_metrics_equal_torchmetrics(ranking, k):
    target = torch.tensor(ranking)
    preds = torch.arange(len(ranking), 0, -1).float()  # torchmetrics computes in float32 and drops what is not positive
    ranks = ranks_of(ranking)
    found = query_metrics(ranks, [k])
    expected = {
        f"hit_rate_at_{k}": retrieval_hit_rate(preds, target, top_k=k),
        f"recall_at_{k}": retrieval_recall(preds, target, top_k=k),
        "mrr": retrieval_reciprocal_rank(preds, target),
        "map": retrieval_average_precision(preds, target),
        "ndcg_at_10": retrieval_normalized_dcg(preds, target, top_k=10),
        "ndcg": retrieval_normalized_dcg(preds, target),
    }
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-6)
    assert ndcg_at(ranks, k) == pytest.approx(float(retrieval_normalized_dcg(preds, target, top_k=k)), abs=1e-6)


def test_a_worked_example():
    found = query_metrics(np.array([2, 5]), [1, 2, 5, 100])
    assert [found[f"hit_rate_at_{k}"] for k in (1, 2, 5, 100)] == [0, 1, 1, 1]
    assert [found[f"recall_at_{k}"] for k in (1, 2, 5, 100)] == [0, 0.5, 1, 1]
    assert found["mrr"] == 1 / 2
    assert found["map"] == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert found["ndcg"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(6)) / (1 + 1 / math.log2(3)))


def test_every_metric_of_a_perfect_ranking_is_one_but_recall_where_more_are_relevant_than_shown():
    found = query_metrics(np.arange(1, 21), [1, 10, 20])
    assert found.pop("recall_at_1") == 1 / 20
    assert found.pop("recall_at_10") == 1 / 2
    assert set(found.values()) == {1.0}


def test_averages_are_over_films_and_the_median_is_of_the_best_rank():
    columns = {"mrr": np.array([1.0, 0.5, 0.25, 0.25]), BEST_RANK: np.array([1.0, 2.0, 4.0, 4.0])}
    assert over_films(columns) == {"mrr": 0.5, "median_rank": 3.0, "mean_rank": 2.75}
