"""Chance against every possible ranking, counted out, and against random scores."""

from itertools import combinations, product

import numpy as np
import pytest

from pipeline.evaluate.chance import chance_metrics, expected_metrics, none_among_first
from pipeline.evaluate.metrics import BEST_RANK, over_films, query_metrics
from pipeline.evaluate.ranking import rank_candidates

KS = [1, 2, 5, 100]
SIZES = [(n, r) for n in range(1, 8) for r in range(1, n + 1)] + [(13, 2), (13, 11), (14, 1)]  # some beyond ndcg_at_10


def rankings(candidates: int, relevant: int) -> list[np.ndarray]:
    """Return the ranks of the relevant tracks in every ranking; all are equally likely."""
    return [np.array(ranks) for ranks in combinations(range(1, candidates + 1), relevant)]


@pytest.mark.parametrize(("candidates", "relevant"), SIZES)
def test_expectation_equals_the_mean_over_all_rankings(candidates, relevant):
    of_each = [query_metrics(ranks, KS) | {"mean_rank": ranks[0]} for ranks in rankings(candidates, relevant)]
    mean = {name: np.mean([metrics[name] for metrics in of_each]) for name in of_each[0]}
    found = expected_metrics(relevant, candidates, KS)
    assert list(found) == list(mean)
    assert found == pytest.approx(mean, abs=1e-12)


def test_films_are_averaged_each_with_its_own_number_of_tracks():
    found = chance_metrics([3, 1, 1, 2], 7, KS, samples=10, seed=0)
    each = [expected_metrics(relevant, 7, KS) for relevant in (3, 1, 1, 2)]
    del found["median_rank"]
    assert found == pytest.approx({name: np.mean([of_film[name] for of_film in each]) for name in each[0]}, abs=1e-12)


@pytest.mark.parametrize("relevant", [[1], [2, 1], [1, 2, 4]])
def test_median_rank_of_chance_equals_the_mean_over_all_rankings_of_all_films(relevant):
    best = [[ranks[0] for ranks in rankings(5, number)] for number in relevant]
    exact = np.mean([np.median(ranks) for ranks in product(*best)])
    found = chance_metrics(relevant, 5, KS, samples=40_000, seed=0)["median_rank"]
    assert found == pytest.approx(exact, abs=0.03)


def test_random_scores_are_worth_what_chance_says():
    rng = np.random.default_rng(0)
    relevant = [1, 2, 3, 8, 30, 1, 5]
    ends = np.cumsum(relevant)
    own = [np.arange(end - number, end) for end, number in zip(ends, relevant, strict=True)]
    found = []
    for _ in range(300):
        queries, tracks = rng.normal(size=(len(relevant), 8)), rng.normal(size=(ends[-1], 8))
        ranks = [ranking.ranks for ranking in rank_candidates(queries, tracks, own, 1)]
        each = [query_metrics(of_film, KS) | {BEST_RANK: of_film[0]} for of_film in ranks]
        found.append(over_films({name: np.array([metrics[name] for metrics in each]) for name in each[0]}))
    expected = chance_metrics(relevant, int(ends[-1]), KS, samples=5000, seed=0)
    assert list(expected) == list(found[0])
    for name, value in expected.items():
        values = [metrics[name] for metrics in found]
        assert abs(np.mean(values) - value) < 4 * np.std(values) / len(values) ** 0.5 + 1e-9, name


def test_the_probability_of_none_stays_exact_among_many_candidates():
    behind = none_among_first(50, 20_000)
    assert (behind[0], behind[-1]) == (1.0, 0.0)
    assert (np.diff(behind) <= 0).all()
    assert behind[1] == pytest.approx(1 - 50 / 20_000, rel=1e-12)
    assert expected_metrics(50, 20_000, KS)["mean_rank"] == pytest.approx(behind[:-1].sum(), rel=1e-9)


def test_chance_repeats_with_its_seed():
    arguments = ([3, 1, 1, 2], 70, KS, 100)
    assert chance_metrics(*arguments, seed=1) == chance_metrics(*arguments, seed=1)
    assert chance_metrics(*arguments, seed=1)["median_rank"] != chance_metrics(*arguments, seed=2)["median_rank"]
