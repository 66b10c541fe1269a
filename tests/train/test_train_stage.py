"""The stage in one process or two, with and without MLflow, and without the packages for experiments."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import stages.train
from pipeline.core.fields import load_sections
from pipeline.core.tables import DATASET, write_table
from tests.evaluate.small_world import dataset_rows
from tests.train.recipe import MODEL
from tests.train.test_group import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILES = ("model.safetensors", "config.json", "history.csv")
WITHOUT = """
import sys
for name in ("mlflow", "dvc", "ruamel", "filelock", "requests", "bs4", "yt_dlp", "matplotlib"):
    sys.modules[name] = None
import json
from pathlib import Path
import torch
from pipeline.model.section import Model
from pipeline.train.section import Train
from pydantic import TypeAdapter
from pipeline.store.films import open_store
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import Variant
from pipeline.train.group import Group
from pipeline.train.training import Material, train_variant
model, train = json.loads(sys.argv[1])
dataset = read_table(Path("data/dataset.parquet"), DATASET, "split")
store = open_store(Path("data/features"), ["plot", "image"])
given = [TypeAdapter(cls).validate_json(json.dumps(v)) for cls, v in ((Model, model), (Train, train))]
row = Variant(["plot", "image"])
train_variant(Path(), "Bare", row, Material(store), dataset, *given, Group(0, 1, torch.device("cpu")), False, print)
"""


@pytest.fixture
def root(tmp_path, own_store, features, dataset, monkeypatch):
    """A repository root with data set, features and a short recipe, isolated from the caller's environment."""
    for name in list(os.environ):
        if name.startswith(("DVC_", "MLFLOW_")) or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(name)
    full = dataset_rows()[0]
    write_table(tmp_path / "data/dataset.parquet", [full | row for row in dataset], DATASET)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    model = json.loads(json.dumps(MODEL, default=lambda section: section.__dict__))
    params["model"] = model
    params["train"] |= {"init": "random", "epochs": 3, "batch_size": 8, "learning_rate": 0.01}
    params["machine"]["device"] = "cpu"
    with (tmp_path / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    return tmp_path


def changed(root, section, **values):
    yaml = YAML()
    params = yaml.load((root / "params.yaml").read_text())
    params[section] |= values
    with (root / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def run(root, *command):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)


def two_nodes(first, second, *command):
    """Run a process in each folder, as torchrun does on several nodes; return their output."""
    launcher = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *("--master-addr=127.0.0.1", f"--master-port={free_port()}"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen(
            [*launcher, f"--node-rank={rank}", *command], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
        )
        for rank, folder in enumerate((first, second))
    ]
    with ThreadPoolExecutor(2) as pool:  # each reads until its node has finished
        ended = list(pool.map(lambda node: node.communicate()[1], nodes))
    assert [node.returncode for node in nodes] == [0, 0], ended
    return ended


def runs(root):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    return client, client.search_runs([client.get_experiment_by_name("soundtrack-retrieval").experiment_id])


def test_stage_trains_and_tracks_each_epoch(root):
    stages.train.main(root, "ImPlo", *load_sections(root / "params.yaml", stages.train.SECTIONS))
    assert all((root / "models/ImPlo" / name).is_file() for name in FILES)
    client, (found,) = runs(root)
    assert found.info.status == "FINISHED"
    for name in ("train_loss", "valid_loss", "valid_recall_at_10", "examples_per_second", "input_wait"):
        assert [point.step for point in client.get_metric_history(found.info.run_id, name)] == [1, 2, 3]


def test_two_processes_and_two_nodes_each_write_the_same_model_and_one_run(root):
    changed(root, "machine", train_processes=2)
    other = root / "other"  # the second node shares no disk with the first one
    shutil.copytree(root / "data", other / "data")
    shutil.copy(root / "params.yaml", other)
    done = run(root, "-m", "stages.train", "--variant", "Im")
    assert done.returncode == 0, done.stderr
    assert "on cpu of 2 processes" in done.stderr
    assert len(runs(root)[1]) == 1
    expected = {name: (root / "models/Im" / name).read_bytes() for name in FILES}
    shutil.rmtree(root / "models/Im")
    ended = two_nodes(root, other, "-m", "stages.train", "--variant", "Im")
    assert "on cpu of 2 processes" in ended[0]
    assert {name: (root / "models/Im" / name).read_bytes() for name in FILES} == expected
    assert {path.name for path in other.iterdir()} == {"data", "params.yaml"}
    assert len(runs(root)[1]) == 2


def test_errors_in_several_processes_are_reported_with_exit_status(root):
    changed(root, "machine", train_processes=2)
    changed(root, "train", batch_size=2)
    (root / "data/features/image.parquet").unlink()
    done = run(root, "-m", "stages.train", "--variant", "Im")
    assert done.returncode != 0
    assert "image.parquet is missing: run `dvc repro features@image`" in done.stderr


def test_missing_mlflow_stops_nothing(root, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    stages.train.main(root, "Im", *load_sections(root / "params.yaml", stages.train.SECTIONS))
    assert (root / "models/Im/model.safetensors").is_file()
    assert "continuing without it" in caplog.text


def test_training_needs_no_packages_of_experiments(root):
    raw = YAML(typ="safe").load((root / "params.yaml").read_text())
    done = run(root, "-c", WITHOUT, json.dumps([raw["model"], raw["train"]]))
    assert done.returncode == 0, done.stderr
    assert "'epoch': 3" in done.stdout
    assert all((root / "models/Bare" / name).is_file() for name in FILES)
