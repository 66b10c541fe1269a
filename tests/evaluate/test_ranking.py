"""Ranks follow the stated rule, ties included, whatever the block."""

import numpy as np
import pytest

from pipeline.evaluate import ranking
from pipeline.evaluate.ranking import rank_candidates


def unit(rng: np.random.Generator, rows: int, width: int = 5) -> np.ndarray:
    vectors = rng.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def with_ties(films: int = 7, tracks: int = 60) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return queries, candidates of which every third repeats an earlier one, and the relevant ones of each query."""
    rng = np.random.default_rng(0)
    queries, candidates = unit(rng, films), unit(rng, tracks)
    candidates[::3] = candidates[1]
    return queries, candidates, [np.sort(rng.choice(tracks, size=1 + film, replace=False)) for film in range(films)]


def test_rank_counts_higher_scores_and_earlier_equal_ones():
    queries, candidates, relevant = with_ties()
    for query, own, found in zip(queries, relevant, rank_candidates(queries, candidates, relevant, 60), strict=True):
        scores = [
            np.float32(sum(float(a) * float(b) for a, b in zip(query, track, strict=True))) for track in candidates
        ]
        expected = [
            1 + sum(score > scores[i] for score in scores) + sum(score == scores[i] for score in scores[:i])
            for i in own
        ]
        assert found.ranks.tolist() == sorted(expected)
        assert found.top.tolist() == sorted(range(len(scores)), key=lambda i: (-scores[i], i))
        np.testing.assert_array_equal(found.top_scores, sorted(scores, reverse=True))


@pytest.mark.parametrize("films_a_block", [1, 2, 7])
def test_blocks_do_not_change_the_ranking(monkeypatch, films_a_block):
    queries, candidates, relevant = with_ties()
    whole = list(rank_candidates(queries, candidates, relevant, 10))
    monkeypatch.setattr(ranking, "BLOCK_SCORES", films_a_block * len(candidates))
    for a, b in zip(whole, rank_candidates(queries, candidates, relevant, 10), strict=True):
        np.testing.assert_array_equal(a.ranks, b.ranks)
        np.testing.assert_array_equal(a.top, b.top)
        assert a.top_scores.tobytes() == b.top_scores.tobytes()


def test_a_row_of_scores_larger_than_a_block_is_ranked_all_the_same(monkeypatch):
    queries, candidates, relevant = with_ties()
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 1)
    assert len(list(rank_candidates(queries, candidates, relevant, 10))) == len(queries)


def test_a_model_that_gives_one_vector_for_everything_ranks_in_the_order_of_the_candidates():
    same = np.tile(unit(np.random.default_rng(0), 1), (9, 1))
    (found,) = rank_candidates(same[:1], same, [np.array([2, 5])], 4)
    assert found.ranks.tolist() == [3, 6]
    assert found.top.tolist() == [0, 1, 2, 3]


def test_one_candidate_is_first_and_alone_on_top():
    vector = unit(np.random.default_rng(0), 1)
    (found,) = rank_candidates(vector, vector, [np.array([0])], 100)
    assert (found.ranks.tolist(), found.top.tolist()) == ([1], [0])
    assert found.top_scores == pytest.approx(1.0)
