"""Baselines next to a model: the same films and tracks, fitted without the test set."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluate import baselines
from pipeline.evaluate.baselines import Data, evaluate_baselines
from pipeline.store.films import open_store
from tests.evaluate.small_world import BASELINES, EVALUATE, make_world

SETTINGS = replace(EVALUATE, ks=[1, 10])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("baselines"))


def run(world, names=BASELINES, training="train", rankings=None, params=SETTINGS):
    store = open_store(world.root / "data/features", world.inputs)
    split = {name: [row for row in world.rows if row["split"] == name] for name in ("train", "valid", "eval")}
    fids = list(dict.fromkeys(row["fid"] for row in split["eval"]))
    ranked = rankings or [{"fid": fid, "recall_at_10": 1.0, "mrr": 1.0} for fid in fids]
    return evaluate_baselines(names, store, split.get(training, []), split["eval"], ranked, params)


def test_difference_is_model_minus_baseline_per_film(world):
    found = run(world)
    assert list(found) == BASELINES
    for figures in found.values():
        low, mean, high = figures["difference"]
        assert mean == pytest.approx(1 - figures["recall_at_10"])
        assert low <= mean <= high
    without = run(world, params=replace(SETTINGS, ks=[1]))["linear"]
    assert without["difference"][1] == pytest.approx(1 - without["mrr"]), "the reciprocal rank stands in"


def test_they_repeat_and_are_fitted_to_the_training_set_alone(world, monkeypatch):
    assert run(world) == run(world)
    seen = []
    fit = baselines.fit_linear
    monkeypatch.setattr(
        baselines,
        "fit_linear",
        lambda queries, music, *rest: seen.append((queries, music)) or fit(queries, music, *rest),
    )
    spaces = baselines.fit_spaces
    monkeypatch.setattr(
        baselines, "fit_spaces", lambda films, *rest: seen.append([film.fid for film in films]) or spaces(films, *rest)
    )
    run(world, ["linear"])
    known, (queries, music) = seen
    training = [row for row in world.rows if row["split"] == "train"]
    assert known == list(dict.fromkeys(row["fid"] for row in training))
    assert len(queries) == 2
    assert len(music) == len(training) == 3


def test_nearest_searches_music_like_that_of_similar_training_films(monkeypatch):
    monkeypatch.setattr(baselines, "NEIGHBOURS", 1)
    rng = np.random.default_rng(0)
    inputs, whose = rng.standard_normal((6, 9)), np.repeat(np.arange(6), 2)
    music = rng.standard_normal((6, 7))[whose] + 0.1 * rng.standard_normal((12, 7))
    queries, tracks = baselines._nearest(Data(inputs, music, whose, inputs[[4, 2]] + 0.01, music))
    scores = queries @ tracks.T
    assert set(np.argsort(-scores[0])[:2]) == {8, 9}
    assert set(np.argsort(-scores[1])[:2]) == {4, 5}


def test_without_training_films_or_baselines(world, caplog):
    assert run(world, []) == {}
    assert run(world, [], training="none") == {}
    assert run(world, training="none") == {}
    assert "no baselines" in caplog.text
