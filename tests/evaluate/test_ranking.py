"""Ranks count higher and equal scores, whatever the block size, and every list keeps the stated order."""

import numpy as np
import pytest

from pipeline.core.errors import ModelError, StageError
from pipeline.evaluate import ranking
from pipeline.evaluate.ranking import Ranking, Vectors, hubness_of, one_row_each, rank


def unit(rng: np.random.Generator, rows: int, width: int = 5) -> np.ndarray:
    vectors = rng.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def with_ties(films: int = 7, tracks: int = 60) -> tuple[Vectors, Vectors, list[np.ndarray]]:
    """Return queries, candidates (every third repeats an earlier one), and the relevant ones of each query."""
    rng = np.random.default_rng(0)
    queries, candidates = unit(rng, films), unit(rng, tracks)
    candidates[::3] = candidates[1]
    own = [np.sort(rng.choice(tracks, size=1 + film, replace=False)) for film in range(films)]
    return one_row_each(queries), one_row_each(candidates), own


def cosines(queries: np.ndarray, candidates: np.ndarray) -> list[list[np.float32]]:
    return [
        [np.float32(sum(float(a) * float(b) for a, b in zip(query, track, strict=True))) for track in candidates]
        for query in queries
    ]


def rows_of(found: Ranking, query: int) -> list[tuple[int, int, int]]:
    ranks = found.ranks
    rows = np.flatnonzero(ranks.query == query)
    return [(int(ranks.above[row]), int(ranks.tied[row]), int(ranks.own[row])) for row in rows]


def groups(scores: list[np.float32], own: np.ndarray) -> list[tuple[int, int, int]]:
    values = sorted({scores[i] for i in own}, reverse=True)
    return [
        (sum(s > value for s in scores), scores.count(value), sum(scores[i] == value for i in own)) for value in values
    ]


def test_ranks_count_higher_and_equal_scores():
    queries, candidates, relevant = with_ties()
    found = rank(queries, candidates, relevant, 60)
    for query, (scores, own) in enumerate(zip(cosines(queries.rows, candidates.rows), relevant, strict=True)):
        assert rows_of(found, query) == groups(scores, own)
        assert found.top[query].tolist() == sorted(range(len(scores)), key=lambda i: (-scores[i], i))
        np.testing.assert_array_equal(found.top_scores[query], sorted(scores, reverse=True))
    assert found.ranks.candidates == 60


@pytest.mark.parametrize("films_a_block", [1, 2, 7])
def test_blocks_do_not_change_the_ranking(monkeypatch, films_a_block):
    queries, candidates, relevant = with_ties()
    whole = rank(queries, candidates, relevant, 10)
    monkeypatch.setattr(ranking, "BLOCK_SCORES", films_a_block * len(candidates))
    parts = rank(queries, candidates, relevant, 10)
    for name in ("query", "above", "tied", "own"):
        np.testing.assert_array_equal(getattr(whole.ranks, name), getattr(parts.ranks, name))
    for name in ("top", "top_scores"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()
    np.testing.assert_allclose(whole.occurrences, parts.occurrences, atol=1e-12)


def test_a_row_of_scores_larger_than_a_block_is_ranked(monkeypatch):
    queries, candidates, relevant = with_ties()
    whole = rank(queries, candidates, relevant, 10)
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 1)
    np.testing.assert_array_equal(rank(queries, candidates, relevant, 10).top, whole.top)


@pytest.mark.parametrize("side", ["queries", "candidates", "both"])
def test_several_rows_score_by_their_best_cosine(monkeypatch, side):
    rng = np.random.default_rng(1)
    several = {
        "queries": Vectors(unit(rng, 9), np.array([0, 1, 4, 8])),
        "candidates": Vectors(unit(rng, 30), np.arange(0, 30, 3)),
    }
    plain = {"queries": one_row_each(unit(rng, 4)), "candidates": one_row_each(unit(rng, 10))}
    chosen = plain | {name: several[name] for name in several if side in (name, "both")}
    queries, candidates = chosen["queries"], chosen["candidates"]
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 60)  # two queries per block
    own = [np.array([film, 5 + film]) for film in range(4)]
    found = rank(queries, candidates, own, 10)
    ends = [np.append(vectors.starts[1:], len(vectors.rows)) for vectors in (queries, candidates)]
    scores = np.array(cosines(queries.rows, candidates.rows))
    for query in range(4):
        best = [
            scores[queries.starts[query] : ends[0][query], candidates.starts[i] : ends[1][i]].max() for i in range(10)
        ]
        assert rows_of(found, query) == groups(best, own[query])
        assert found.top[query].tolist() == sorted(range(10), key=lambda i: (-best[i], i))


def test_selected_vectors_keep_all_their_rows():
    rows = np.arange(10.0).reshape(5, 2)
    chosen = Vectors(rows, np.array([0, 2, 3])).chosen([2, 0])
    assert chosen.rows.tolist() == rows[[3, 4, 0, 1]].tolist()
    assert chosen.starts.tolist() == [0, 2]


def test_a_constant_model_ranks_nothing():
    same = one_row_each(np.tile(unit(np.random.default_rng(0), 1), (20, 1)))
    found = rank(same.part(0, 2), same, [np.array([2, 5]), np.array([7])], 12)
    assert [rows_of(found, query) for query in (0, 1)] == [[(0, 20, 2)], [(0, 20, 1)]]
    assert found.top[0].tolist() == list(range(12))
    assert found.occurrences == pytest.approx(np.full(20, 1.0))  # each is half in each of two top tens


def test_a_single_candidate_is_first():
    vector = one_row_each(unit(np.random.default_rng(0), 1))
    found = rank(vector, vector, [np.array([0])], 100)
    assert (rows_of(found, 0), found.top.tolist()) == ([(0, 1, 1)], [[0]])
    assert found.top_scores[0] == pytest.approx(1.0)


def test_unrankable_input_is_refused():
    queries, candidates, relevant = with_ties()
    with pytest.raises(StageError, match="query 3 has no relevant candidate"):
        rank(queries, candidates, [*relevant[:3], np.array([], int), *relevant[4:]], 1)
    candidates.rows[4, 0] = np.nan
    with pytest.raises(ModelError, match="NaN"):
        rank(queries, candidates, relevant, 1)


def test_occurrences_count_the_top_tens_with_a_candidate():
    queries, candidates, relevant = with_ties(films=40)
    candidates.rows[:] = unit(np.random.default_rng(5), 60)
    found = rank(queries, candidates, relevant[:7] + [np.array([0])] * 33, 10)
    counts = np.bincount(found.top.ravel(), minlength=60)
    np.testing.assert_array_equal(found.occurrences, counts)
    said = hubness_of(found.occurrences, 40)
    assert (said["k"], said["most"], said["never"]) == (10, counts.max(), np.mean(counts == 0))
    assert said["chance_never"] == pytest.approx((5 / 6) ** 40)


def test_skewness_detects_hubs():
    even = hubness_of(np.full(50, 3.0), 15)
    assert (even["skewness"], even["never"], even["most"]) == (0.0, 0.0, 3.0)
    one_hub = np.zeros(50)
    one_hub[7] = 15
    assert hubness_of(one_hub, 15)["skewness"] == pytest.approx(48 / 49**0.5)  # (n − 2) / √(n − 1)
    random = np.random.default_rng(0).binomial(200, 0.1, size=5000).astype(float)
    assert hubness_of(random, 200)["skewness"] == pytest.approx(0.8 / (200 * 0.1 * 0.9) ** 0.5, abs=0.1)
