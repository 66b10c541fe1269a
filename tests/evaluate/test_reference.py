"""The pooled figures of the published evaluation."""

import math

import numpy as np
import pytest

from pipeline.evaluate.reference import pooled_figures


def test_figures_of_a_short_list():
    found = pooled_figures(np.array([4, 1, 2, 30]), [1, 5, 100])
    assert found["recall_at_1"] == 1 / 4
    assert found["recall_at_5"] == 3 / 4
    assert found["recall_at_100"] == 1
    assert found["mrr"] == pytest.approx((1 / 4 + 1 + 1 / 2 + 1 / 30) / 4)
    assert (found["median_rank"], found["mean_rank"]) == (3.0, 37 / 4)
    gained = sum(1 / math.log2(rank + 1) for rank in (4, 1, 2, 30))
    assert found["ndcg"] == pytest.approx(gained / sum(1 / math.log2(rank + 1) for rank in (1, 2, 3, 4)))


def test_perfect_retrieval_does_not_reach_one():
    found = pooled_figures(np.concatenate([np.arange(1, tracks + 1) for tracks in (1, 2, 3)]), [1, 2])
    assert found["recall_at_1"] == 1 / 2
    assert found["recall_at_2"] == 5 / 6
    assert found["mrr"] == pytest.approx((3 + 2 / 2 + 1 / 3) / 6)
    assert found["ndcg"] > 1  # each film's best places count again
