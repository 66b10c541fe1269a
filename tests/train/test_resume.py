"""A training run killed at any moment and restarted gives the same files as an undisturbed one; no other resumes it."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.core.errors import ModelError
from pipeline.model.store import load_model
from pipeline.train import loop, resume
from tests.forks import Fork
from tests.train.recipe import MODEL, TRAIN, train

pytestmark = pytest.mark.slow
FILES = ("model.safetensors", "config.json", "history.csv")
DROPPED = replace(MODEL, audio=replace(MODEL.audio, dropout=0.2), projector=replace(MODEL.projector, dropout=0.2))
LONG = replace(TRAIN, batch_size=3, epochs=10, patience=4, learning_rate=0.1, schedule="plateau")


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """Save the state of every epoch, however long it takes."""
    monkeypatch.setattr(resume, "SHARE", 1.0)


class Killed(BaseException):
    """Stops a process between two statements."""


def killed_at(epoch: int, *given, **settings) -> None:
    """Train as `train` does, killed when `epoch` is done but its state not yet written."""

    def on_epoch(record):
        if record["epoch"] == epoch:
            raise Killed

    with pytest.raises(Killed):
        train(*given, **settings, on_epoch=on_epoch)


def left(root: Path) -> dict[str, bytes]:
    return {name: (root / "models/All" / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("model", [DROPPED, replace(MODEL, towers="linear", noise=1.0)], ids=["paper", "linear"])
@pytest.mark.parametrize(
    "changes", [{}, {"schedule": "cosine"}, {"patience": None, "batch_size": 8, "micro_batch_size": 4}], ids=str
)
def test_interrupted_training_ends_as_an_undisturbed_one(features, dataset, tmp_path, changes, model):
    params, whole, parts = replace(LONG, **changes), tmp_path / "whole", tmp_path / "parts"
    train(whole, dataset, params, model=model, features=features)
    for epoch in (1, 2, 3, 5):
        killed_at(epoch, parts, dataset, params, model=model, features=features)
    _, records = train(parts, dataset, params, model=model, features=features)
    assert records[0]["epoch"] == 5, "what was done was done again"
    assert left(parts) == left(whole)
    assert list((parts / "models/.resume").iterdir()) == []


def test_states_saved_seldom_lead_to_the_same_result(features, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "SHARE", 0.0)  # only that of the first epoch
    train(tmp_path / "whole", dataset, LONG, model=DROPPED, features=features)
    killed_at(5, tmp_path / "parts", dataset, LONG, model=DROPPED, features=features)
    _, records = train(tmp_path / "parts", dataset, LONG, model=DROPPED, features=features)
    assert records[0]["epoch"] == 2
    assert left(tmp_path / "parts") == left(tmp_path / "whole")


@pytest.mark.parametrize(("patience", "kept"), [(None, 2), (4, 1)])  # the last epoch, the best one
def test_non_finite_loss_keeps_the_state_resumed_from(features, dataset, tmp_path, monkeypatch, patience, kept):
    params = replace(LONG, patience=patience)
    killed_at(3, tmp_path, dataset, params, features=features)

    def broken(model, *_):
        model.logit_scale.data.fill_(math.nan)
        return torch.tensor(math.nan)

    monkeypatch.setattr(loop, "backward", broken)
    with pytest.raises(ModelError, match=rf"nan at epoch 3, step 1 .* after epoch {kept}$"):
        train(tmp_path, dataset, params, features=features)
    model, _ = load_model(tmp_path / "models/All")
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


def train_aloud(say: Callable[[int], None], root: Path, dataset: list[dict], features: Path) -> None:
    """Train, with a message after each epoch."""
    resume.SHARE = 1.0
    train(root, dataset, LONG, model=DROPPED, features=features, on_epoch=lambda record: say(record["epoch"]))


def test_killed_process_resumes_to_the_same_result(features, dataset, tmp_path):
    def launched() -> Fork:
        return Fork(tmp_path, train_aloud, tmp_path / "parts", dataset, features)

    for moment, pause in ((3, 0.0), (4, 0.004), (6, 0.02)):  # between epochs, while the state is written, within one
        process = launched()
        while (process.message() or 99) < moment:
            pass
        time.sleep(pause)
        process.kill()
    launched().finish()
    train(tmp_path / "whole", dataset, LONG, model=DROPPED, features=features)
    assert left(tmp_path / "parts") == left(tmp_path / "whole")


@pytest.mark.parametrize(
    "other",
    [
        {"params": replace(LONG, seed=1)},
        {"params": replace(LONG, epochs=11)},
        {"model": MODEL},
        {"inputs": ("plot", "image")},
        {"variant": "Other"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_training_does_not_resume_from_it(features, dataset, tmp_path, other):
    given = {"params": LONG, "model": DROPPED}
    for arguments in (given, given | other):
        killed_at(2, tmp_path, dataset, features=features, **arguments)
    _, records = train(tmp_path, dataset, features=features, **given | other)
    assert records[0]["epoch"] == 2
    assert len(list((tmp_path / "models/.resume").iterdir())) == 1, "that of the first one"


@pytest.mark.parametrize("number", [0, 1])
def test_other_tracks_are_another_training(features, dataset, tmp_path, number):
    killed_at(3, tmp_path, dataset, LONG, features=features)
    dataset[number] |= {"path": "elsewhere"}
    _, records = train(tmp_path, dataset, LONG, features=features)
    assert records[0]["epoch"] == 1


def test_compiling_does_not_make_another_training(features, dataset, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: compiled.append(module))  # as it takes minutes

    killed_at(3, tmp_path, dataset, LONG, features=features)
    _, records = train(tmp_path, dataset, LONG, features=features, compiled=True)
    assert records[0]["epoch"] == 3
    assert compiled


def test_state_of_a_dvc_copy_is_kept_in_the_main_repository(features, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "main"))

    killed_at(3, tmp_path / "copy", dataset, LONG, features=features)
    _, records = train(tmp_path / "another copy", dataset, LONG, features=features)
    assert records[0]["epoch"] == 3
    assert load_model(tmp_path / "another copy/models/All")


def test_resuming_is_logged(features, dataset, tmp_path, caplog):
    killed_at(3, tmp_path, dataset, LONG, features=features)
    with caplog.at_level(logging.INFO):
        train(tmp_path, dataset, LONG, features=features)
    assert "resuming after epoch 2" in caplog.text
