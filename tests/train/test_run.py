"""A whole training on small features: it learns, repeats, keeps its best epoch, and says what is wrong."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import ModelError, StageError
from pipeline.model.store import load_model
from pipeline.sections import AudioTower, Model, Projector, QueryTower, Train
from pipeline.store.films import films_of, open_store
from pipeline.store.table import WINDOW_KEYS, write_features
from pipeline.train.loop import validation_loss
from pipeline.train.run import train_variant

CPU = torch.device("cpu")
MODEL = Model(
    embed_dim=8,
    temperature=0.2,
    max_logit_scale=100.0,
    audio=AudioTower(
        window_seconds=0.8,
        window_hop_seconds=0.4,
        channels=4,
        blocks=2,
        width=8,
        layers=1,
        heads=2,
        head_width=4,
        feedforward=8,
        positions=9,
        dropout=0.0,
    ),
    query=QueryTower(input_dropout=0.0, width=8, layers=1, heads=2, head_width=4, feedforward=8, dropout=0.0),
    projector=Projector(hidden=16, dropout=0.0),
)
TRAIN = Train(
    seed=0,
    epochs=12,
    patience=12,
    batch_size=8,
    learning_rate=0.02,
    warmup=0.2,
    weight_decay=0.01,
    max_grad_norm=1.0,
    valid_draws=2,
    threads=1,
)


def train(features, dataset, folder, params=TRAIN, inputs=("tags_plot", "image"), variant="All"):
    records = []
    store = open_store(features, inputs)
    train_variant(folder, variant, store, dataset, MODEL, params, CPU, records.append)
    return store, records


def test_training_learns_and_repeats_with_its_seed(features, dataset, tmp_path):
    _, records = train(features, dataset, tmp_path / "one")
    train(features, dataset, tmp_path / "two")
    assert records[-1]["train_loss"] < 0.5 * records[0]["train_loss"]
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    train(features, dataset, tmp_path / "three", replace(TRAIN, seed=1))
    assert (tmp_path / "one/history.csv").read_bytes() != (tmp_path / "three/history.csv").read_bytes()


def test_best_epoch_is_kept(features, dataset, tmp_path):
    store, records = train(features, dataset, tmp_path / "All", replace(TRAIN, learning_rate=0.3))
    model, config = load_model(tmp_path / "All")
    valid = films_of((row for row in dataset if row["side"] == "valid"), store)
    loss = validation_loss(model, store, valid, config["window_steps"], TRAIN, CPU)
    best = min(records, key=lambda record: record["valid_loss"])
    assert loss == pytest.approx(best["valid_loss"], abs=1e-6)
    assert best is not records[-1], "the last epoch is the best: the test shows nothing"


def test_without_patience_all_epochs_run_and_the_last_is_kept(features, dataset, tmp_path):
    params = replace(TRAIN, patience=None, learning_rate=0.3)
    store, records = train(features, dataset, tmp_path / "All", params)
    model, config = load_model(tmp_path / "All")
    valid = films_of((row for row in dataset if row["side"] == "valid"), store)
    loss = validation_loss(model, store, valid, config["window_steps"], params, CPU)
    assert len(records) == params.epochs
    assert loss == pytest.approx(records[-1]["valid_loss"], abs=1e-6)
    assert loss > min(record["valid_loss"] for record in records) + 1e-3, "the last is the best: this shows nothing"


def test_patience_ends_a_training_that_no_longer_gets_better(features, dataset, tmp_path):
    _, records = train(features, dataset, tmp_path / "All", replace(TRAIN, epochs=60, patience=2, learning_rate=0.3))
    losses = [record["valid_loss"] for record in records]
    assert len(records) < 60
    assert len(losses) - 1 - losses.index(min(losses)) == 2


def test_history_is_what_was_reported(features, dataset, tmp_path):
    _, records = train(features, dataset, tmp_path / "All")
    rows = list(csv.DictReader((tmp_path / "All/history.csv").open()))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == records


def test_weights_are_those_of_the_variant_alone(features, dataset, tmp_path):
    train(features, dataset, tmp_path / "Im", inputs=("image",), variant="Im")
    weights = load_file(tmp_path / "Im/model.safetensors")
    assert {name.split(".")[1] for name in weights if name.startswith("input_projections")} == {"image"}


@pytest.mark.parametrize("side", ["train", "valid"])
def test_side_with_one_film_is_refused_by_name(features, dataset, tmp_path, side):
    films = sorted({row["fid"] for row in dataset if row["side"] == side})
    short = [row for row in dataset if row["fid"] not in films[1:]]
    with pytest.raises(StageError, match=f"split.{side}.*1 film"):
        train(features, short, tmp_path / "All")


def test_loss_that_is_not_finite_stops_the_training(features, dataset, tmp_path):
    with pytest.raises(ModelError, match=r"epoch 1 .*train.learning_rate"):
        train(features, dataset, tmp_path / "All", replace(TRAIN, learning_rate=1e30, max_grad_norm=1e30))


def test_folder_without_a_model_of_this_version_is_refused(features, dataset, tmp_path):
    train(features, dataset, tmp_path / "All")
    (tmp_path / "All/model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match="All"):
        load_model(tmp_path / "All")


def test_vectors_of_a_pretrained_audio_encoder_train_as_well(features, dataset, tmp_path):
    rng, first = np.random.default_rng(0), {}
    keys = [
        {"fid": r["fid"], "number": r["number"], "window": w, "start_seconds": 5.0 * w, "sha256": r["path"]}
        for r in dataset
        for w in range(1 + r["number"])
    ]
    for key in keys:
        first.setdefault(key["fid"], rng.normal(size=6))
    vectors = np.stack([first[key["fid"]] + 0.1 * rng.normal(size=6) for key in keys])
    about = {"spec": {"encoder": "ear", "window_hop_seconds": 5.0}, "versions": {}}
    write_features(features / "audio.parquet", WINDOW_KEYS, [(keys, vectors)], 6, np.float32, about)
    _, records = train(features, dataset, tmp_path / "All")
    assert records[-1]["train_loss"] < 0.5 * records[0]["train_loss"]
    model, config = load_model(tmp_path / "All")
    assert config["window_steps"] == 1
    assert model.encode_audio({"audio": torch.zeros(2, 1, 6)}).shape == (2, MODEL.embed_dim)
