"""A repository after DVC restored a model from its cache: with files, without runs in MLflow."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.core.files import sha256_of, write_json

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Restored:
    """The folder of a variant `Im` that is unknown to MLflow."""

    root: Path

    @property
    def weights(self) -> Path:
        """The model's weights."""
        return self.root / "models/Im/model.safetensors"

    def evaluate(self, **figures: Any) -> None:
        """Write the metrics of the model."""
        metrics = {
            "variant": "Im",
            "pool": "eval",
            "paragraphs": "mean",
            "queries": 3,
            "candidates": 9,
            "recall_at_10": 0.5,
            "mrr": 0.25,
            "median_rank": 4.0,
            "ci95": {name: [0.1, 0.9] for name in ("recall_at_10", "mrr", "median_rank")},
            "chance": {"recall_at_10": 0.2, "mrr": 0.1, "median_rank": 5.0},
            "dataset": "ad7e7e38",
            "model": {"model.safetensors": sha256_of(self.weights)},
        }
        write_json(self.root / "metrics/evaluate/Im.json", metrics | figures)

    def lock(self, learning_rate: float) -> None:
        """Write the dvc.lock of a training run of this model."""
        out = {"path": "models/Im/model.safetensors", "md5": hashlib.md5(self.weights.read_bytes()).hexdigest()}
        train = {
            "train": {"learning_rate": learning_rate, "patience": None},
            "variants.Im": ["image"],
        }
        stages = {
            "split": {"params": {"params.yaml": {"split": {"seed": 0}, "variants": {"Ta": ["tags"]}, "variant": "Ta"}}},
            "train@Im": {"outs": [out], "params": {"params.yaml": train}},
            "train@Ta": {"params": {"params.yaml": {"train": {"learning_rate": 9.0}}}},
        }
        with (self.root / "dvc.lock").open("w") as file:
            YAML().dump({"schema": "2.0", "stages": stages}, file)

    def runs(self) -> list[Any]:
        """Return the runs in MLflow, the earliest first."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.root}/mlflow.db")
        experiment = client.get_experiment_by_name("soundtrack-retrieval")
        return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])


@pytest.fixture
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Callable[[Path], Path]) -> Restored:
    """A restored model with its history, metrics and lock file; the working directory is its folder."""
    monkeypatch.chdir(tmp_path)
    empty_store(tmp_path)
    world = Restored(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    world.weights.parent.mkdir(parents=True)
    world.weights.write_bytes(b"weights")
    (world.weights.parent / "config.json").write_text(json.dumps({"variant": "Im"}))
    (world.weights.parent / "history.csv").write_text("epoch,train_loss,valid_loss\n1,2.0,3.0\n2,1.0,\n")
    world.evaluate()
    world.lock(learning_rate=0.125)
    return world


@pytest.fixture
def command() -> Callable[..., int]:
    """`python -m pipeline`, in this process."""
    from pipeline.__main__ import main

    return lambda *arguments: main(list(arguments))
