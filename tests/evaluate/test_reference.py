"""The pooled figures of the published evaluation, by its formulas written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.ranks import untied
from pipeline.evaluate.reference import pooled_figures

FILMS = st.lists(st.sets(st.integers(1, 60), min_size=1, max_size=12), min_size=1, max_size=6)


@given(FILMS)
def test_figures_equal_the_published_formulas_over_one_list_of_ranks(films):
    pooled = [rank for film in films for rank in film]
    found = pooled_figures(untied([sorted(film) for film in films], 60), [1, 5, 100])
    expected = {f"recall_at_{k}": sum(rank <= k for rank in pooled) / len(pooled) for k in (1, 5, 100)}
    expected["mrr"] = sum(1 / rank for rank in pooled) / len(pooled)
    gained = sum(1 / math.log2(rank + 1) for rank in pooled)
    expected["ndcg"] = gained / sum(1 / math.log2(rank + 1) for rank in range(1, len(pooled) + 1))
    expected |= {"median_rank": np.median(pooled), "mean_rank": np.mean(pooled)}
    assert found == pytest.approx(expected, abs=1e-9)
    assert list(found) == list(expected)


def test_perfect_retrieval_does_not_reach_one():
    found = pooled_figures(untied([range(1, tracks + 1) for tracks in (1, 2, 3)], 6), [1, 2])
    assert found["recall_at_1"] == 1 / 2
    assert found["recall_at_2"] == 5 / 6
    assert found["mrr"] == pytest.approx((3 + 2 / 2 + 1 / 3) / 6)
    assert found["ndcg"] > 1  # each film's best places count again
