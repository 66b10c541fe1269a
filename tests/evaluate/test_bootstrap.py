"""Intervals have the stated coverage, and repeat."""

import numpy as np
import pytest

from pipeline.evaluate import bootstrap
from pipeline.evaluate.bootstrap import confidence_intervals, draws
from pipeline.evaluate.metrics import BEST_RANK, averages


def columns(rng: np.random.Generator, films: int) -> dict[str, np.ndarray]:
    best = rng.geometric(0.1, size=films).astype(float)  # mean 10, median 7
    return {"hit_rate_at_5": (best <= 5).astype(float), "mrr": 1 / best, BEST_RANK: best}


def test_95_percent_intervals_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    truth = averages(columns(rng, 1_000_000))
    covered = dict.fromkeys(truth, 0)
    for seed in range(120):
        for name, (low, high) in confidence_intervals(columns(rng, 80), samples=200, seed=seed).items():
            covered[name] += low <= truth[name] <= high
    assert {name: 106 <= count <= 120 for name, count in covered.items()} == dict.fromkeys(truth, True), covered


def clusters(rng: np.random.Generator, films: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return figures of queries, similar within each of `films` films, and the film of each query."""
    counts = rng.integers(1, 9, size=films)
    owners = np.repeat(np.arange(films), counts)
    best = np.ceil(rng.exponential(10, size=films))[owners] + rng.integers(0, 3, size=len(owners))
    return {"hit_rate_at_5": (best <= 5).astype(float), "mrr": 1 / best, BEST_RANK: best}, owners


def test_95_percent_intervals_over_films_with_several_queries_cover_about_as_often():
    rng = np.random.default_rng(0)
    truth = averages(clusters(rng, 200_000)[0])
    covered, narrow = dict.fromkeys(truth, 0), 0
    for seed in range(120):
        data, owners = clusters(rng, 80)
        for name, (low, high) in confidence_intervals(data, 200, seed, owners).items():
            covered[name] += low <= truth[name] <= high
        low, high = confidence_intervals(data, 200, seed)["mrr"]
        narrow += low <= truth["mrr"] <= high
    assert {name: 106 <= count <= 120 for name, count in covered.items()} == dict.fromkeys(truth, True), covered
    assert narrow < 90, "queries of one film taken for independent would claim too much"


def test_draws_equal_plain_resampling_of_films_with_all_queries():
    rng = np.random.default_rng(0)
    data, owners = clusters(rng, 9)
    values = {"mrr": [], "median_rank": []}
    for weights in draws(9, 60, np.random.default_rng(4)):
        for drawn in weights:
            assert drawn.sum() == 9
            rows = np.concatenate([np.tile(np.flatnonzero(owners == f), int(n)) for f, n in enumerate(drawn) if n])
            found = averages({name: column[rows] for name, column in data.items()})
            for name in values:
                values[name].append(found[name])
    intervals = confidence_intervals(data, 60, 4, owners)
    for name, drawn in values.items():
        assert intervals[name] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)


@pytest.mark.parametrize("block", [1, 200])
def test_blocks_do_not_change_the_intervals(monkeypatch, block):
    data, owners = clusters(np.random.default_rng(0), 20)
    whole = confidence_intervals(data, 50, 1, owners)
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    assert confidence_intervals(data, 50, 1, owners) == {name: pytest.approx(ends) for name, ends in whole.items()}


def test_intervals_of_means_are_as_wide_as_normal_theory_says():
    data = columns(np.random.default_rng(0), 1000)
    intervals = confidence_intervals(data, 1000, 0)
    for name, column in {"hit_rate_at_5": "hit_rate_at_5", "mrr": "mrr", "mean_rank": BEST_RANK}.items():
        low, high = intervals[name]
        assert high - low == pytest.approx(2 * 1.96 * data[column].std() / 1000**0.5, rel=0.1)


def test_intervals_hold_the_figure_and_narrow_with_more_films():
    few, many = (columns(np.random.default_rng(0), films) for films in (20, 2000))
    for name, value in averages(few).items():
        low, high = confidence_intervals(few, 500, 0)[name]
        assert low <= value <= high
        narrow_low, narrow_high = confidence_intervals(many, 100, 0)[name]
        assert narrow_high - narrow_low < (high - low) / 3


def test_intervals_repeat_with_their_seed():
    data = columns(np.random.default_rng(0), 30)
    assert confidence_intervals(data, 100, 1) == confidence_intervals(data, 100, 1)
    assert confidence_intervals(data, 100, 1) != confidence_intervals(data, 100, 2)


@pytest.mark.parametrize("samples", [1, 100])
def test_one_film_has_an_interval_of_no_width(samples):
    data = {"mrr": np.array([0.25]), BEST_RANK: np.array([4.0])}
    assert confidence_intervals(data, samples, 0) == {
        "mrr": [0.25] * 2,
        "median_rank": [4.0] * 2,
        "mean_rank": [4.0] * 2,
    }
