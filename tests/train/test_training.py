"""A whole training on small features: it learns, repeats, keeps its best epoch, and reports problems."""

import contextlib
import csv
import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.core.errors import ModelError, ParamsError, StageError
from pipeline.model.store import load_model
from pipeline.store.films import films_of
from pipeline.store.table import WINDOW_KEYS, write_features
from pipeline.train import loop, training, validation
from pipeline.train.group import Group
from pipeline.train.loop import HISTORY
from pipeline.train.loss import make_loss
from pipeline.train.validation import Validation
from tests.train.recipe import ALONE, MODEL, TRAIN, train

pytestmark = pytest.mark.slow

FILES = ("model.safetensors", "config.json", "history.csv")


@pytest.fixture
def root(tmp_path, features):
    """A root folder with feature tables."""
    return tmp_path


def figures_of(root, store, dataset, params=TRAIN, variant="All"):
    """Return the figures of a trained model on the validation set."""
    model, config = load_model(root / "models" / variant)
    films = films_of((row for row in dataset if row["split"] == "valid"), store)
    return Validation(films, store, config, params, make_loss(params), ALONE)(model, torch.no_grad)


def test_training_learns_and_repeats_with_its_seed(features, dataset, tmp_path):
    roots = [tmp_path / name for name in ("one", "two", "three")]
    _, records = train(roots[0], dataset, features=features)
    train(roots[1], dataset, features=features)
    assert records[-1]["train_loss"] < 0.5 * records[0]["train_loss"]
    for name in FILES:
        assert (roots[0] / "models/All" / name).read_bytes() == (roots[1] / "models/All" / name).read_bytes()
    train(roots[2], dataset, replace(TRAIN, seed=1), features=features)
    histories = [(root / "models/All/history.csv").read_bytes() for root in roots]
    assert histories[0] != histories[2]


def test_temperature_stops_at_its_cap_and_comes_back_from_it(root, dataset):
    capped = replace(MODEL, temperature=1.0, max_logit_scale=1.05)
    _, records = train(root, dataset, model=capped)
    scales = [record["logit_scale"] for record in records]
    assert max(scales) == pytest.approx(1.05), "it is passed, or never reached"
    hot = replace(MODEL, temperature=0.001)
    _, records = train(root, dataset, model=hot, variant="Hot")
    assert records[0]["logit_scale"] < 99.9, "similarities of fresh weights call for a higher temperature"


def test_every_epoch_draws_new_batches(root, dataset, monkeypatch):
    plans, true_plans = [], loop.epoch_plans

    def kept(*given):
        plans.append(list(true_plans(*given)))
        return plans[-1]

    monkeypatch.setattr(loop, "epoch_plans", kept)
    train(root, dataset, replace(TRAIN, epochs=3))
    orders = {tuple(film for plan in of_epoch for film in plan.films) for of_epoch in plans}
    starts = {tuple(start for plan in of_epoch for start in plan.starts) for of_epoch in plans}
    assert len(orders) == len(starts) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"sampler": "tracks"},
        {"sampler": "tracks", "same_film": "positives"},
        {"sampler": "tracks", "same_film": "negatives", "shuffle": False},
        {"optimizer": "adam", "schedule": "plateau", "max_grad_norm": None},
        {"micro_batch_size": 4},
        {"precision": "bfloat16"},
        {"deterministic": True},
    ],
    ids=str,
)
def test_every_way_of_training_learns(root, dataset, changes):
    _, records = train(root, dataset, replace(TRAIN, **changes))
    assert min(record["train_loss"] for record in records) < 0.7 * records[0]["train_loss"]


def test_training_computes_as_its_parameters_set(root, dataset, monkeypatch):
    entered = []

    @contextlib.contextmanager
    def noted(params, device):
        entered.append((params, device))
        yield
        entered.append("left")

    monkeypatch.setattr(training, "numerics", noted)
    params = replace(TRAIN, epochs=1)
    train(root, dataset, params, on_epoch=lambda record: entered.append("trained"))
    assert entered == [(params, ALONE.device), "trained", "left"]


@pytest.mark.parametrize("monitor", ["loss", "recall_at_10"])
def test_best_epoch_by_the_monitored_figure_is_kept(root, dataset, monitor, monkeypatch):
    monkeypatch.setattr(validation, "CUT", 4)  # of 12 tracks, so that recalls are fractions
    params = replace(TRAIN, learning_rate=0.3, monitor=monitor)
    store, records = train(root, dataset, params)
    name, sign = {"loss": ("valid_loss", 1), "recall_at_10": ("valid_recall_at_10", -1)}[monitor]
    best = min(records, key=lambda record: sign * record[name])
    assert figures_of(root, store, dataset)[name] == pytest.approx(best[name], abs=1e-6)
    assert best[name] != records[-1][name], "the last epoch is the best: the test shows nothing"


def test_without_patience_all_epochs_run_and_the_last_is_kept(root, dataset):
    params = replace(TRAIN, patience=None, learning_rate=0.3)
    store, records = train(root, dataset, params)
    loss = figures_of(root, store, dataset)["valid_loss"]
    assert len(records) == params.epochs
    assert loss == pytest.approx(records[-1]["valid_loss"], abs=1e-6)
    assert loss > min(record["valid_loss"] for record in records) + 1e-3, "the last is the best: this shows nothing"


def test_patience_ends_a_training_that_no_longer_gets_better(root, dataset):
    _, records = train(root, dataset, replace(TRAIN, epochs=60, patience=2, learning_rate=0.3))
    losses = [record["valid_loss"] for record in records]
    assert len(records) < 60
    assert len(losses) - 1 - losses.index(min(losses)) == 2


def test_history_is_what_was_reported(root, dataset):
    _, records = train(root, dataset)
    rows = list(csv.DictReader((root / "models/All/history.csv").open()))
    kept = [{name: record[name] for name in HISTORY} for record in records]
    assert [{name: float(value) for name, value in row.items()} for row in rows] == kept
    assert all(record["examples_per_second"] > 0 and 0 <= record["input_wait"] <= 1 for record in records)


def test_learning_rates_are_recorded(root, dataset):
    _, records = train(root, dataset, replace(TRAIN, epochs=10, batch_size=2, warmup=0.4))
    rates = [record["learning_rate"] for record in records]
    assert rates.index(max(rates)) == 4
    assert max(rates) == pytest.approx(TRAIN.learning_rate)
    assert rates[-1] < 0.1 * TRAIN.learning_rate


def test_weights_are_those_of_the_variant_alone(root, dataset):
    train(root, dataset, inputs=("image",), variant="Im")
    weights = load_file(root / "models/Im/model.safetensors")
    assert {name.split(".")[2] for name in weights if name.startswith("query_tower.projections")} == {"image"}


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_set_of_one_film_is_refused_by_name(root, dataset, split):
    films = sorted({row["fid"] for row in dataset if row["split"] == split})
    short = [row for row in dataset if row["fid"] not in films[1:]]
    with pytest.raises(StageError, match=rf"split\.{split}.*1 film"):
        train(root, short)


def test_a_set_smaller_than_a_batch_warns_and_trains(root, dataset, caplog):
    with caplog.at_level(logging.WARNING):
        train(root, dataset, replace(TRAIN, batch_size=64))
    assert "train.batch_size: found 64, but the training set has 8 examples" in caplog.text


def test_batches_of_two_train_on_an_odd_number_of_films(root, dataset):
    odd = [row for row in dataset if row["fid"] not in (dataset[0]["fid"], dataset[-1]["fid"])]
    _, records = train(root, odd, replace(TRAIN, batch_size=2, epochs=2))
    assert all(math.isfinite(record["train_loss"]) for record in records)


def test_more_processes_than_examples_are_refused(root, dataset):
    with pytest.raises(ParamsError, match=r"machine\.train_processes: found 9.* 8 examples"):
        train(root, dataset, group=Group(0, 9, torch.device("cpu")))


def test_non_finite_first_loss_writes_no_model(root, dataset):
    with pytest.raises(ModelError, match=r"epoch 1, step 2 of 4: lower train\.learning_rate .*no epoch was completed"):
        train(root, dataset, replace(TRAIN, batch_size=2, learning_rate=1e30, max_grad_norm=None, warmup=0.0))
    assert not (root / "models/All").exists()


@pytest.mark.parametrize(("patience", "improves", "kept"), [(None, False, 4), (12, True, 4), (12, False, 1)])
def test_later_non_finite_loss_keeps_the_last_or_best_epoch(root, dataset, monkeypatch, patience, improves, kept):
    calls, true_loss = [], loop.backward

    def broken(model, *rest):
        calls.append(1)
        loss = true_loss(model, *rest)
        if len(calls) == 10:  # the second step of the fifth epoch
            model.logit_scale.data.fill_(math.nan)
            return loss * math.nan
        return loss

    monkeypatch.setattr(loop, "backward", broken)
    monkeypatch.setattr(loop, "is_better", lambda *_: improves)
    params = replace(TRAIN, batch_size=4, patience=patience)
    where = rf"nan at epoch 5, step 2 of 2: .*models/All holds .* after epoch {kept}$"
    with pytest.raises(ModelError, match=where) as caught:
        train(root, dataset, params)
    assert "train.learning_rate (found 0.02)" in str(caught.value)
    rows = list(csv.DictReader((root / "models/All/history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    model, _ = load_model(root / "models/All")
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


def test_out_of_memory_names_the_parameters_to_lower(root, dataset, monkeypatch):
    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")

    monkeypatch.setattr(loop, "backward", exhausted)
    with pytest.raises(
        ModelError, match=r"train\.micro_batch_size \(found null.*train\.batch_size \(found 8"
    ) as caught:
        train(root, dataset)
    assert str(caught.value).endswith("Tried to allocate 2.00 GiB.)")


def test_other_errors_are_not_taken_for_a_lack_of_memory(root, dataset, monkeypatch):
    def wrong(*_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(loop, "backward", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(root, dataset)


def test_folder_without_a_model_of_this_version_is_refused(root, dataset):
    train(root, dataset)
    (root / "models/All/model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match="All"):
        load_model(root / "models/All")


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
    _, records = train(tmp_path, dataset)
    assert records[-1]["train_loss"] < 0.5 * records[0]["train_loss"]
    model, config = load_model(tmp_path / "models/All")
    assert config["window_steps"] == 1
    assert model.encode_audio({"audio": torch.zeros(2, 1, 6)}).shape == (2, MODEL.embed_dim)
