"""The pooled figures of the published evaluation against its formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.metrics import pooled_figures
from pipeline.evaluate.ranks import at_random
from tests.evaluate.trec_eval import untied

PUBLISHED = {  # test set: number of films by number of tracks
    1: 16,
    2: 13,
    3: 21,
    4: 24,
    5: 29,
    6: 22,
    7: 13,
    8: 8,
    9: 4,
    10: 3,
    11: 2,
    12: 2,
    13: 2,
    14: 3,
    15: 4,
    16: 1,
    17: 3,
    18: 2,
    20: 7,
    21: 3,
    22: 2,
    23: 2,
    24: 3,
    25: 2,
    28: 1,
    29: 1,
    31: 2,
    32: 2,
    33: 1,
    34: 1,
    37: 3,
    38: 1,
    39: 1,
    41: 1,
    42: 1,
    52: 1,
}
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
    assert found["ndcg"] > 1  # each film's best ranks count again


def test_figures_of_the_published_candidates_match_its_code():
    """For 1,964 tracks of 207 films, ranked perfectly and ranked at random."""
    tracks = [number for number, films in PUBLISHED.items() for _ in range(films)]
    assert (len(tracks), sum(tracks)) == (207, 1964)
    perfect = pooled_figures(untied([range(1, number + 1) for number in tracks], 1964), [1, 10])
    found = [round(perfect[name], digits) for name, digits in (("recall_at_1", 3), ("recall_at_10", 3), ("mrr", 3))]
    assert [*found, round(perfect["ndcg"], 2)] == [0.105, 0.631, 0.264, 3.85]
    assert pooled_figures(at_random(tracks, 1964), [10])["ndcg"] == pytest.approx(1.0, abs=1e-9)
