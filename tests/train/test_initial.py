"""Initial weights: whitening of the training films, and the closed form as the heads of linear towers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.core.errors import ParamsError, StageError
from pipeline.core.variants import Variant
from pipeline.model.embed import embed_films, embed_tracks, queries_of, tracks_of
from pipeline.model.linear import fit_linear, unit
from pipeline.model.store import build_model, load_model, model_config
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.store.films import films_of, open_store
from pipeline.train import training
from pipeline.train.initial import initialise
from tests.train.recipe import MODEL, TRAIN, train

CPU = torch.device("cpu")
INPUTS = ("plot", "image")
LINEAR = replace(MODEL, towers="linear", components=4, noise=0.5)
CCA = replace(TRAIN, init="cca", learning_rate=0.001)


def training_films(features, dataset):
    store = open_store(features, INPUTS)
    return store, films_of([row for row in dataset if row["split"] == "train"], store)


def made(store, films, params=LINEAR, closed_form=True):
    config = model_config("x", INPUTS, params, store.specs(), store.window_steps(0.8))
    torch.manual_seed(0)
    model = build_model(config)
    initialise(model, films, store, params.components, params.embed_dim, closed_form)
    return model, config


def test_the_model_is_the_closed_form(features, dataset):
    store, films = training_films(features, dataset)
    model, config = made(store, films)
    spaces = fit_spaces(films, store, 4)
    x, y = spaces.queries(films, store), spaces.tracks(films, store)
    fitted = fit_linear(x, y, film_numbers(films), MODEL.embed_dim)
    plain = {n: np.stack([store.tables[n].read(film.fixed_rows[n][:1])[0] for film in films]) for n in INPUTS}
    one = {name: torch.from_numpy(rows) for name, rows in plain.items()}
    expected = unit(fitted.query.of(np.concatenate([spaces.inputs[n].of(unit(plain[n])) for n in INPUTS], 1)))
    found = model.eval().encode_query(one).detach().numpy()
    assert np.abs(found[:, : expected.shape[1]] - expected).max() < 1e-4
    assert not found[:, expected.shape[1] :].any(), "of the music there are fewer directions"
    for row, vector in zip(films[0].track_rows, unit(fitted.audio.of(y)), strict=False):
        frames = store.audio.values(torch.from_numpy(store.audio.read(row))[None])
        music = model.encode_audio({"audio": frames}).detach().numpy()[0]
        assert np.abs(music[: len(vector)] - vector).max() < 1e-3
    assert embed_films(model, queries_of(films, store), config, 4, CPU).shape == (len(films), MODEL.embed_dim)
    assert embed_tracks(model, tracks_of(films, store), config, 4, CPU).shape == (len(y), MODEL.embed_dim)


@pytest.mark.parametrize("towers", ["linear", "hidden"])
def test_whitening_is_that_of_the_training_films_and_heads_stay_fresh(features, dataset, towers):
    store, films = training_films(features, dataset)
    params = replace(LINEAR, towers=towers)
    model, config = made(store, films, params, closed_form=False)
    torch.manual_seed(0)
    fresh = build_model(config).state_dict()
    spaces = fit_spaces(films, store, 4)
    for name, part in model.query_tower.parts().items():
        kept = spaces.inputs[name].axes.shape[1]
        assert np.allclose(part.mean.numpy(), spaces.inputs[name].mean, atol=1e-5)
        assert np.allclose(part.axes.numpy()[:, :kept], spaces.inputs[name].axes, atol=1e-4)
        assert not part.axes[:, kept:].any()
    assert all(torch.equal(value, fresh[name]) for name, value in model.state_dict().items() if ".head." in name)


def test_a_linear_variant_is_fitted_and_not_trained(tmp_path, features, dataset):
    row = Variant(list(INPUTS), "linear")
    _, records = train(tmp_path, dataset, TRAIN, INPUTS, "Closed", row=row, features=features)
    store, films = training_films(features, dataset)
    expected, _ = made(store, films, replace(MODEL, towers="linear"))
    model, config = load_model(tmp_path / "models/Closed")
    assert records == []
    assert (tmp_path / "models/Closed/history.csv").read_text().splitlines()[1:] == []
    assert config["model"]["towers"] == "linear"
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value)


def test_contrastive_training_starts_from_the_closed_form(tmp_path, features, dataset):
    train(
        tmp_path,
        dataset,
        replace(CCA, epochs=1, learning_rate=1e-9, weight_decay=0.0),
        INPUTS,
        model=LINEAR,
        features=features,
    )
    store, films = training_films(features, dataset)
    expected, _ = made(store, films)
    start = load_model(tmp_path / "models/All")[0].state_dict()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(start[name], value, atol=1e-5, rtol=0)
    _, records = train(tmp_path, dataset, replace(CCA, learning_rate=0.01), INPUTS, model=LINEAR, features=features)
    assert len(records) == CCA.epochs
    after = load_model(tmp_path / "models/All")[0].state_dict()
    moved = {name for name in start if not torch.equal(start[name], after[name])}
    heads = [f"{tower}_tower.head.{part}" for tower in ("query", "audio") for part in ("weight", "bias")]
    assert moved == {"logit_scale", *heads}


def test_an_input_may_be_dropped_as_the_row_says(tmp_path, features, dataset):
    row = Variant(list(INPUTS), drop_inputs=0.5)
    train(tmp_path, dataset, CCA, INPUTS, model=LINEAR, row=row, features=features)
    model, config = load_model(tmp_path / "models/All")
    assert model.drop_inputs == config["drop_inputs"] == 0.5


def test_too_few_films_and_conflicting_settings(tmp_path, features, dataset):
    store, films = training_films(features, dataset)
    with pytest.raises(StageError, match="1 film"):
        made(store, films[:1])
    with pytest.raises(ParamsError, match=r"train\.init.*model\.towers"):
        train(tmp_path, dataset, CCA, INPUTS, features=features)


@pytest.mark.parametrize(
    ("row", "films"),
    [
        (Variant(["plot"]), [8, 4]),
        (Variant(["plot", "image"]), [7, 3]),
        (Variant(["plot", "image"], drop_inputs=0.5), [8, 4]),
    ],
)
def test_films_that_lack_an_input_serve_the_variants_that_can_read_them(
    tmp_path, features, dataset, monkeypatch, row, films
):
    found = []
    trainer = training.Trainer
    monkeypatch.setattr(training, "Trainer", lambda *given: found.append(given[3]) or trainer(*given))
    lacking = [entry | ({"image": ""} if entry["fid"] in ("AAB", "AAI") else {}) for entry in dataset]
    _, records = train(tmp_path, lacking, CCA, tuple(row.inputs), model=LINEAR, features=features, row=row)
    assert [len(found[0][split]) for split in ("train", "valid")] == films
    assert all(np.isfinite(list(record.values())).all() for record in records)
