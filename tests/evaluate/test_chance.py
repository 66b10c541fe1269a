"""Chance against an enumeration of all rankings, and against random scores."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest

from pipeline.evaluate import chance
from pipeline.evaluate.chance import chance_metrics, expected_median_rank, fewer_than
from pipeline.evaluate.metrics import averages, query_metrics
from pipeline.evaluate.ranking import one_row_each, rank
from pipeline.evaluate.ranks import any_among_first, none_among_first
from tests.evaluate.trec_eval import untied

KS = [1, 2, 5, 100]
SIZES = [(n, r) for n in range(1, 8) for r in range(1, n + 1)] + [(13, 2), (13, 11), (14, 1)]  # some beyond ndcg_at_10


def rankings(candidates: int, relevant: int) -> list[tuple[int, ...]]:
    """Return the ranks of the relevant tracks in every ranking; all rankings are equally likely."""
    return list(combinations(range(1, candidates + 1), relevant))


@pytest.mark.parametrize(("candidates", "relevant"), SIZES)
def test_expectation_equals_the_mean_over_all_rankings(candidates, relevant):
    every = averages(query_metrics(untied(rankings(candidates, relevant), candidates), KS))
    found = chance_metrics([relevant], candidates, KS)
    assert list(found) == list(every)
    del every["median_rank"], found["median_rank"]
    assert found == pytest.approx(every, abs=1e-12)


def test_films_are_averaged_with_their_own_numbers_of_tracks():
    found = chance_metrics([3, 1, 1, 2], 7, KS)
    each = [chance_metrics([relevant], 7, KS) for relevant in (3, 1, 1, 2)]
    del found["median_rank"]
    assert found == pytest.approx({name: np.mean([of_film[name] for of_film in each]) for name in found}, abs=1e-12)


@pytest.mark.parametrize("relevant", [[1], [5], [2, 1], [2, 2, 2], [1, 2, 4], [1, 1, 3, 5]])
def test_median_rank_of_chance_equals_the_mean_over_all_rankings_of_all_films(relevant):
    best = [[ranks[0] for ranks in rankings(5, number)] for number in relevant]
    exact = np.mean([np.median(ranks) for ranks in product(*best)])
    assert chance_metrics(relevant, 5, KS)["median_rank"] == pytest.approx(exact, abs=1e-12)


def test_fewer_events_than_k_follow_the_binomial_law():
    for probability in (0.0, 0.2, 0.5, 1.0):
        for events in (1, 2, 7, 30):
            for k in (1, 3, events, events + 1):
                law = [
                    comb(events, i) * probability**i * (1 - probability) ** (events - i)
                    for i in range(min(k, events + 1))
                ]
                found = fewer_than(k, np.array([[probability]]), np.array([events]))
                assert found == pytest.approx([sum(law)], abs=1e-12), (probability, events, k)


def test_median_rank_of_chance_equals_that_of_simulated_films():
    rng = np.random.default_rng(0)
    numbers, counts, candidates = np.array([1, 4, 30]), np.array([3000, 2000, 2000]), 20_000
    best = [rng.random((count, 1)) ** (1 / number) for number, count in zip(numbers, counts, strict=True)]
    median = np.median(1 - np.concatenate(best)) * candidates  # of continuous ranks
    assert expected_median_rank(numbers, counts, candidates) == pytest.approx(median, rel=0.05)
    assert expected_median_rank(np.array([1]), np.array([70_001]), 9) == pytest.approx(5, abs=1e-9)


def test_random_scores_perform_at_chance():
    rng = np.random.default_rng(0)
    relevant = [1, 2, 3, 8, 30, 1, 5]
    ends = np.cumsum(relevant)
    own = [np.arange(end - number, end) for end, number in zip(ends, relevant, strict=True)]
    found = []
    for _ in range(300):
        queries, tracks = rng.normal(size=(len(relevant), 8)), rng.normal(size=(ends[-1], 8))
        ranks = rank(one_row_each(queries), one_row_each(tracks), own, 1).ranks
        found.append(averages(query_metrics(ranks, KS)))
    expected = chance_metrics(relevant, int(ends[-1]), KS)
    assert list(expected) == list(found[0])
    for name, value in expected.items():
        values = [metrics[name] for metrics in found]
        assert abs(np.mean(values) - value) < 4 * np.std(values) / len(values) ** 0.5 + 1e-9, name


def test_the_probability_of_none_stays_exact_among_many_candidates():
    behind = none_among_first(50, 20_000)
    assert (behind[0], behind[-1]) == (1.0, 0.0)
    assert (np.diff(behind) <= 0).all()
    assert behind[1] == pytest.approx(1 - 50 / 20_000, rel=1e-12)
    for places in (0, 1, 7, 300, 19_990, 20_000):
        assert any_among_first(places, 50, 20_000) == pytest.approx(1 - behind[places], abs=1e-12)
    assert chance_metrics([50], 20_000, KS)["mean_rank"] == pytest.approx(behind[:-1].sum(), rel=1e-9)


@pytest.mark.parametrize("relevant", [[1, 2, 3], [1, 2, 2, 5], [40, 1, 3, 8, 9], [1] * 5, [1, 2, 3, 4, 5] * 40])
def test_median_rank_of_chance_among_many_candidates_takes_only_some_ranks(monkeypatch, relevant):
    numbers, counts = np.unique(relevant, return_counts=True)
    every = expected_median_rank(numbers, counts, 3000)
    taken = []
    exactly = chance._fewer_than
    monkeypatch.setattr(chance, "_fewer_than", lambda *given: taken.append(given) or exactly(*given))
    monkeypatch.setattr(chance, "SAMPLES", 200)
    assert expected_median_rank(numbers, counts, 3000) == pytest.approx(every, rel=1e-6)
    assert len(taken) < (2 * 450 if len(relevant) > 3 else 2 * 3000)
