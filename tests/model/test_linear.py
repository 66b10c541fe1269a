"""The linear maps in closed form, on vectors made of known factors."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from pipeline.model import linear
from pipeline.model.linear import RIDGES, components_of, fit_linear, unit

FACTORS, MOST = 8, 60


def generated(films, seed=0, noise=0.3, tracks=3, width=20):
    """Return inputs, music and the film of each track: noisy mixtures of a film's factors."""
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


def joined(components, vectors):
    """Return the concatenated components [n, r] of all inputs."""
    return np.concatenate([of_input.of(vectors[name]) for name, of_input in components.items()], axis=1)


class Fitted:
    """Components and maps fitted to training films."""

    def __init__(self, inputs, music, whose, embed_dim=MOST):
        self.inputs = {name: components_of(rows, MOST, scaled=False) for name, rows in inputs.items()}
        self.music = components_of(music, MOST, scaled=True)
        self.map = fit_linear(joined(self.inputs, inputs), self.music.of(music), whose, embed_dim)

    def queries(self, inputs):
        return self.map.query.of(joined(self.inputs, inputs))

    def tracks(self, music):
        return self.map.audio.of(self.music.of(music))


def recall(fitted, inputs, music, whose, k=3):
    scores = unit(fitted.queries(inputs)) @ unit(fitted.tracks(music)).T
    best = np.argsort(-scores, axis=1)[:, :k]
    return np.mean(whose[best] == np.arange(len(scores))[:, np.newaxis])


def test_unseen_films_find_their_music():
    assert recall(Fitted(*generated(80)), *generated(40, seed=1)) > 0.75
    rng = np.random.default_rng(2)
    inputs, music, whose = generated(80)
    unrelated = Fitted({name: rng.permutation(rows) for name, rows in inputs.items()}, music, whose)
    assert recall(unrelated, *generated(40, seed=1)) < 0.2, "pairs that belong together are what it learns from"


def test_the_number_of_cores_does_not_change_a_bit():
    """Also for matrices large enough that libraries split them among threads."""
    inputs, music, whose = generated(300, width=400)
    found = []
    for threads in (1, 2, 4):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with threadpool_limits(threads):
                fitted = Fitted(inputs, music, whose)
                found.append([fitted.queries(inputs), fitted.tracks(music)])
                assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    for sides in found[1:]:
        assert all(np.array_equal(side, alone) for side, alone in zip(sides, found[0], strict=True))


def test_the_first_direction_has_the_highest_correlation(monkeypatch):
    """Without a ridge this is canonical correlation analysis, also solved by a generalised eigenproblem."""
    inputs, music, whose = generated(200, tracks=1, width=5)
    monkeypatch.setattr(linear, "RIDGES", (1e-9,))
    fitted = Fitted(inputs, music, whose)
    x, y = fitted.queries(inputs)[:, 0], fitted.tracks(music)[:, 0]
    side_by_side = np.concatenate(list(inputs.values()), axis=1)
    cov = np.cov(side_by_side.T, music.T)
    xx, xy, yy = cov[:10, :10], cov[:10, 10:], cov[10:, 10:]
    highest = eigh(xy @ np.linalg.solve(yy, xy.T), xx, eigvals_only=True)[-1]
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(np.sqrt(highest), abs=1e-6)


def test_films_count_equally_whatever_their_number_of_tracks():
    inputs, music, whose = generated(12)
    again = np.concatenate([np.arange(len(whose)), np.tile(np.flatnonzero(whose == 0), 40)])
    x = joined({name: components_of(rows, MOST, scaled=False) for name, rows in inputs.items()}, inputs)
    y = components_of(music, MOST, scaled=True).of(music)
    once = linear._correlated(x, y, whose, 1.0, 2)
    often = linear._correlated(x, y[again], whose[again], 1.0, 2)
    for map_once, map_often in zip(once, often, strict=True):
        assert np.abs(np.abs(map_once.weights) - np.abs(map_often.weights)).max() < 1e-6


def test_the_requested_number_of_directions_strongest_first():
    inputs, music, whose = generated(60)
    few, all_of_them = Fitted(inputs, music, whose, embed_dim=3), Fitted(inputs, music, whose)
    assert few.queries(inputs).shape == (60, 3)
    assert few.map.ridge != all_of_them.map.ridge or np.allclose(
        few.queries(inputs), all_of_them.queries(inputs)[:, :3]
    )


def test_values_of_any_scale_and_constants_are_handled():
    inputs, music, whose = generated(60)
    fitted = Fitted(inputs, music, whose)
    larger = {name: rows * 1e4 for name, rows in inputs.items()}
    scaled = Fitted(larger, music * np.arange(1, 21), whose)
    assert np.abs(fitted.queries(inputs) - scaled.queries(larger)).max() < 1e-6
    constant = np.concatenate([music, np.full((len(music), 3), 2.5)], axis=1)
    assert np.isfinite(Fitted(inputs, constant, whose).tracks(constant)).all()


def test_ridge_is_chosen_on_held_out_films(monkeypatch):
    training, unseen = generated(40, noise=1.0), generated(200, seed=1, noise=1.0)
    chosen = Fitted(*training)
    assert chosen.map.ridge in RIDGES
    found = recall(chosen, *unseen)
    monkeypatch.setattr(linear, "RIDGES", (1e-6, chosen.map.ridge))
    assert Fitted(*training).map.ridge == chosen.map.ridge
    monkeypatch.setattr(linear, "RIDGES", (1e-6,))
    assert recall(Fitted(*training), *unseen) < 0.8 * found


def test_few_films():
    for films in (2, 3, 7):
        fitted = Fitted(*generated(films))
        assert fitted.map.ridge == 1.0
        assert np.isfinite(fitted.queries(generated(5, seed=1)[0])).all()


def test_components_are_those_of_the_covariance_with_mean_variance_one():
    rows = generated(300)[0]["a"]
    found = components_of(rows, 5, scaled=False)
    values = found.of(rows)
    assert np.square(values).mean() == pytest.approx(1.0)
    assert np.abs(values.mean(0)).max() < 1e-9
    covariance = np.cov(rows.T, bias=True)
    largest = np.linalg.eigvalsh(covariance)[::-1][:5]
    assert values.var(0) == pytest.approx(largest / largest.mean())
    assert np.abs(np.corrcoef(values.T) - np.eye(5)).max() < 1e-9
    larger = rows * np.arange(1, 21)
    one, other = components_of(rows, 5, scaled=True).of(rows), components_of(larger, 5, scaled=True).of(larger)
    assert np.abs(np.abs(one) - np.abs(other)).max() < 1e-6


def test_components_of_many_rows_come_from_a_sample(monkeypatch):
    rows = generated(300, noise=0.01)[0]["a"]
    whole = components_of(rows, FACTORS, scaled=False).of(rows)
    monkeypatch.setattr(linear, "SAMPLE", 150)
    sampled = components_of(rows, FACTORS, scaled=False).of(rows)
    with_mean = np.column_stack([sampled, np.ones(300)])
    residue = whole - with_mean @ np.linalg.lstsq(with_mean, whole, rcond=None)[0]
    assert residue.var() < 1e-3 * whole.var(), "the same factors, if turned"
    assert not np.allclose(np.abs(whole), np.abs(sampled))
