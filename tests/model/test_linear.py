"""The linear map in closed form, on vectors that are made of known factors."""

import numpy as np
import pytest

from pipeline.model import linear
from pipeline.model.linear import RIDGES, fit_linear, reduction, unit

FACTORS = 8


def generated(films, seed=0, noise=0.3, tracks=3, width=20):
    """Return inputs, music and the film of each track: all are mixtures of a film's factors, with noise."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99)
    factors = rng.standard_normal((films, FACTORS))
    inputs = {
        name: factors @ mix.standard_normal((FACTORS, width)) + noise * rng.standard_normal((films, width)) + 5
        for name in ("a", "b")
    }
    whose = np.repeat(np.arange(films), tracks)
    music = factors[whose] @ mix.standard_normal((FACTORS, width)) * 100 + 7
    return inputs, music + 100 * noise * rng.standard_normal(music.shape), whose


def recall(fitted, inputs, music, whose, k=3):
    scores = unit(fitted.query.project(inputs)) @ unit(fitted.audio.project({"audio": music})).T
    best = np.argsort(-scores, axis=1)[:, :k]
    return np.mean(whose[best] == np.arange(len(scores))[:, np.newaxis])


def test_films_that_were_not_seen_find_their_music():
    fitted = fit_linear(*generated(80))
    assert recall(fitted, *generated(40, seed=1)) > 0.75
    rng = np.random.default_rng(2)
    inputs, music, whose = generated(80)
    unrelated = fit_linear({name: rng.permutation(rows) for name, rows in inputs.items()}, music, whose)
    assert recall(unrelated, *generated(40, seed=1)) < 0.2, "pairs that belong together are what it learns from"


def test_the_first_direction_is_the_one_of_the_highest_correlation(monkeypatch):
    """Without a ridge it is canonical correlation analysis, whose solution a generalised eigenproblem gives too."""
    from scipy.linalg import eigh

    inputs, music, whose = generated(200, tracks=1, width=5)
    monkeypatch.setattr(linear, "RIDGES", (1e-9,))
    fitted = fit_linear(inputs, music, whose)
    x, y = fitted.query.project(inputs)[:, 0], fitted.audio.project({"audio": music})[:, 0]
    joined = np.concatenate(list(inputs.values()), axis=1)
    cov = np.cov(joined.T, music.T)
    xx, xy, yy = cov[:10, :10], cov[:10, 10:], cov[10:, 10:]
    highest = eigh(xy @ np.linalg.solve(yy, xy.T), xx, eigvals_only=True)[-1]
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(np.sqrt(highest), abs=1e-6)


def test_every_film_counts_the_same_however_many_tracks_it_has():
    inputs, music, whose = generated(12)
    again = np.concatenate([np.arange(len(whose)), np.tile(np.flatnonzero(whose == 0), 40)])
    x, y = (
        reduction(inputs, scaled=False).project(inputs),
        reduction({"audio": music}, scaled=True).project({"audio": music}),
    )
    once = linear._correlated(x, y, whose, 1.0)
    often = linear._correlated(x, y[again], whose[again], 1.0)
    for map_once, map_often in zip(once, often, strict=True):
        assert np.abs(np.abs(map_once[:, :2]) - np.abs(map_often[:, :2])).max() < 1e-6


def test_values_of_any_scale_and_constant_ones_do_no_harm():
    inputs, music, whose = generated(60)
    fitted = fit_linear(inputs, music, whose)
    scaled = fit_linear({name: rows * 1e4 for name, rows in inputs.items()}, music * np.arange(1, 21), whose)
    assert (
        np.abs(fitted.query.project(inputs) - scaled.query.project({n: r * 1e4 for n, r in inputs.items()})).max()
        < 1e-6
    )
    constant = np.concatenate([music, np.full((len(music), 3), 2.5)], axis=1)
    assert np.isfinite(fit_linear(inputs, constant, whose).audio.project({"audio": constant})).all()


def test_ridge_is_chosen_by_what_films_left_out_find():
    noisy, clean = (fit_linear(*generated(40, noise=noise)).ridge for noise in (3.0, 0.01))
    assert {noisy, clean} <= set(RIDGES)
    assert clean <= noisy


def test_few_films():
    for films in (2, 3, 7):
        fitted = fit_linear(*generated(films))
        assert fitted.ridge == 1.0
        assert np.isfinite(fitted.query.project(generated(5, seed=1)[0])).all()


def test_principal_components_are_those_of_all_rows_and_of_a_sample_of_many(monkeypatch):
    inputs, _, _ = generated(300, noise=0.01)
    whole = reduction(inputs, scaled=False).project(inputs)
    monkeypatch.setattr(linear, "SAMPLE", 150)
    sampled = reduction(inputs, scaled=False).project(inputs)
    first, others = whole[:, :FACTORS], sampled[:, :FACTORS]
    residue = first - others @ np.linalg.lstsq(others, first, rcond=None)[0]
    assert residue.var() < 1e-3 * first.var(), "the same factors, if turned"
    deviations = whole[:, :FACTORS].std(0)
    assert np.allclose(
        deviations**2,
        np.linalg.svd(
            np.concatenate([(rows - rows.mean(0)) / np.linalg.norm(rows.std(0)) for rows in inputs.values()], axis=1),
            compute_uv=False,
        )[:FACTORS]
        / np.sqrt(300),
    ), "their deviations are square roots of what they were"
