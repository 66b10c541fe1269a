"""Intervals hold what they promise, and repeat."""

import numpy as np
import pytest

from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.metrics import BEST_RANK, over_films


def columns(rng: np.random.Generator, films: int) -> dict[str, np.ndarray]:
    best = rng.geometric(0.1, size=films).astype(float)  # mean 10, median 7
    return {"hit_rate_at_5": (best <= 5).astype(float), "mrr": 1 / best, BEST_RANK: best}


def test_95_percent_intervals_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    truth = over_films(columns(rng, 1_000_000))
    covered = dict.fromkeys(truth, 0)
    for seed in range(120):
        for name, (low, high) in confidence_intervals(columns(rng, 80), samples=200, seed=seed).items():
            covered[name] += low <= truth[name] <= high
    assert {name: 106 <= count <= 120 for name, count in covered.items()} == dict.fromkeys(truth, True), covered


def test_intervals_of_means_are_as_wide_as_normal_theory_says():
    data = columns(np.random.default_rng(0), 1000)
    intervals = confidence_intervals(data, 1000, 0)
    for name, column in {"hit_rate_at_5": "hit_rate_at_5", "mrr": "mrr", "mean_rank": BEST_RANK}.items():
        low, high = intervals[name]
        assert high - low == pytest.approx(2 * 1.96 * data[column].std() / 1000**0.5, rel=0.1)


def test_intervals_hold_the_figure_and_narrow_with_more_films():
    few, many = (columns(np.random.default_rng(0), films) for films in (20, 2000))
    for name, value in over_films(few).items():
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
