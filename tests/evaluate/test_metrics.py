"""Every metric against a slow, obvious oracle, trec_eval, and all orders of tied candidates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluate.metrics import BEST_RANK, averages, ndcg_at, query_metrics
from pipeline.evaluate.ranks import Ranks, at_random, grouped
from tests.evaluate.trec_eval import Group, orders, trec_eval, untied

# Relevance of each candidate, from best to worst rank.
RANKING = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)
QUERIES = st.integers(1, 40).flatmap(
    lambda candidates: st.lists(
        st.lists(st.booleans(), min_size=candidates, max_size=candidates).filter(any), min_size=1, max_size=6
    )
)
GROUP = st.integers(1, 4).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size)))
GROUPS = st.lists(GROUP, min_size=1, max_size=4).filter(lambda groups: any(own for _, own in groups))
CUTS = st.integers(1, 50)


def ranks_of(rankings: list[list[bool]]) -> Ranks:
    places = [[place for place, own in enumerate(ranking, 1) if own] for ranking in rankings]
    return untied(places, len(rankings[0]))


def tied(groups: list[Group], query: int = 0) -> Ranks:
    """Return `Ranks` of queries one relevant candidate at a time, in the form of `rank`."""
    above = np.cumsum([0, *(size for size, _ in groups)])
    rows = [(start, size) for start, (size, own) in zip(above, groups, strict=False) for _ in range(own)]
    starts, sizes = np.array(rows[::-1], np.int64).T
    return grouped(np.full(len(rows), query), starts, sizes, int(above[-1]))


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
        BEST_RANK: first,
    }


@given(QUERIES, CUTS)
def test_metrics_of_every_query_equal_a_plain_loop_over_its_ranking(rankings, k):
    found = query_metrics(ranks_of(rankings), [k])
    expected = [oracle(ranking, k) for ranking in rankings]
    assert list(found) == list(expected[0])
    for name, values in found.items():
        np.testing.assert_allclose(values, [of_query[name] for of_query in expected], rtol=0, atol=1e-12, err_msg=name)


@given(QUERIES, st.lists(CUTS, min_size=1, max_size=3, unique=True))
def test_metrics_equal_trec_eval(rankings, ks):
    found = query_metrics(ranks_of(rankings), ks)
    for name, values in trec_eval(rankings, ks).items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-9, err_msg=name)


@given(RANKING, CUTS)
def test_a_cut_off_ndcg_equals_its_definition(ranking, k):
    gains = [1 / math.log2(place + 1) if own else 0.0 for place, own in enumerate(ranking, 1)]
    ideal = [1 / math.log2(place + 1) for place in range(1, sum(ranking) + 1)]
    assert ndcg_at(ranks_of([ranking]), k)[0] == pytest.approx(sum(gains[:k]) / sum(ideal[:k]), abs=1e-12)


@settings(max_examples=150)
@given(GROUPS, CUTS)
def test_metrics_of_ties_are_the_mean_of_trec_eval_over_all_orders(groups, k):
    found = query_metrics(tied(groups), [k])
    every = orders(groups)
    for name, values in trec_eval(every, [k]).items():
        assert found[name][0] == pytest.approx(values.mean(), abs=1e-9), name
    assert found[BEST_RANK][0] == pytest.approx(np.mean([order.index(True) + 1 for order in every]), abs=1e-12)


def test_queries_with_ties_are_independent():
    each = [tied([(2, 1), (1, 0), (3, 2)]), tied([(6, 6)]), tied([(5, 0), (1, 1)]), tied([(6, 1)])]
    rows = [np.concatenate([getattr(ranks, name) for ranks in each]) for name in ("above", "tied", "own")]
    query = np.repeat(np.arange(len(each)), [len(ranks.above) for ranks in each])
    together = query_metrics(Ranks(query, *rows, candidates=6), [1, 3])
    for number, ranks in enumerate(each):
        for name, values in query_metrics(ranks, [1, 3]).items():
            assert together[name][number] == pytest.approx(values[0], abs=1e-12), name


def test_a_worked_example():
    found = {name: values[0] for name, values in query_metrics(untied([[2, 5]], 100), [1, 2, 5, 100]).items()}
    assert [found[f"hit_rate_at_{k}"] for k in (1, 2, 5, 100)] == [0, 1, 1, 1]
    assert [found[f"recall_at_{k}"] for k in (1, 2, 5, 100)] == [0, 0.5, 1, 1]
    assert found["mrr"] == 1 / 2
    assert found["map"] == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert found["ndcg"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(6)) / (1 + 1 / math.log2(3)))


def test_a_worked_example_of_a_tie():
    # Two candidates are tied for first place, one of them relevant: rank 1 or 2, equally likely.
    found = {name: values[0] for name, values in query_metrics(tied([(2, 1), (1, 0)]), [1, 2]).items()}
    assert (found["hit_rate_at_1"], found["hit_rate_at_2"], found["recall_at_1"]) == (0.5, 1, 0.5)
    assert (found["mrr"], found["map"], found[BEST_RANK]) == (0.75, 0.75, 1.5)
    assert found["ndcg"] == pytest.approx((1 + 1 / math.log2(3)) / 2)


def test_metrics_of_a_perfect_ranking_are_one_except_recall_below_the_cut():
    found = {name: values[0] for name, values in query_metrics(untied([range(1, 21)], 50), [1, 10, 20]).items()}
    assert found.pop("recall_at_1") == 1 / 20
    assert found.pop("recall_at_10") == 1 / 2
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-12)


def test_if_all_candidates_are_relevant_every_order_is_perfect():
    for ranks in (at_random([7], 7), untied([range(1, 8)], 7)):
        found = {name: values[0] for name, values in query_metrics(ranks, [7, 100]).items()}
        assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-12)


def test_a_single_candidate_is_found():
    found = {name: values[0] for name, values in query_metrics(untied([[1]], 1), [1, 5]).items()}
    assert set(found.values()) == {1.0}


def test_expected_rank_of_a_tie_is_its_middle():
    ranks = tied([(1, 1), (2, 1), (4, 2), (1, 0)])
    assert ranks.expected.tolist() == [1.0, 2.5, 5.5, 5.5]
    assert ranks.relevant.tolist() == [4]


def test_averages_are_over_queries_and_the_median_is_of_the_best_rank():
    columns = {"mrr": np.array([1.0, 0.5, 0.25, 0.25]), BEST_RANK: np.array([1.0, 2.0, 4.0, 4.0])}
    assert averages(columns) == {"mrr": 0.5, "median_rank": 3.0, "mean_rank": 2.75}
