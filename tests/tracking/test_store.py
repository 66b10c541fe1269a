"""The store: in the repository for any path, corrected after a move or a deletion, skipped if unreachable."""

import logging
import shutil
import socket
import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.publish.registry import registered
from pipeline.tracking import store
from pipeline.tracking.locations import read_experiment
from pipeline.tracking.store import EXPERIMENT, connected, explained, never_fails
from pipeline.tracking.training import training_run
from tests.tracking.small import make_model

pytestmark = pytest.mark.slow
ODD = "what is #this? 100%25 fílm"
NAMES = ("model.safetensors", "config.json")


def train(root: Path, params) -> str:
    """Log a training and return its run's id."""
    with training_run(root, "Im", asdict(params), "00") as run:
        run.log_epoch({"epoch": 1, "train_loss": 2.0})
        run.log_model(root / "models/Im")
    return run.run_id


@pytest.fixture(scope="module")
def template(tmp_path_factory, params) -> Path:
    """A repository at an odd path with a run, its model and a registered model."""
    home = tmp_path_factory.mktemp("stores") / ODD / "repository"
    published = make_model(home)
    (published / "tracks.parquet").write_bytes(b"tracks")
    train(home, params)
    registered(home, connected(home), published, {"variant": "Im"})
    return home


@pytest.fixture
def original(template, tmp_path) -> Path:
    """A copy of the template, adapted to its location."""
    home = shutil.copytree(template, tmp_path / "original")
    connected(home)
    return home


def locations(home: Path) -> set[str]:
    """Return all locations in the store."""
    with sqlite3.connect(home / "mlflow.db") as database:
        found = database.execute(
            "SELECT artifact_location FROM experiments WHERE name = ? UNION SELECT artifact_uri FROM runs "
            "UNION SELECT artifact_location FROM logged_models UNION SELECT storage_location FROM model_versions",
            [EXPERIMENT],
        )
        return {row[0] for row in found}


def weights_of(home: Path) -> set[Path]:
    return set((home / "mlartifacts").rglob("model.safetensors"))


def published_weights(home: Path) -> bytes:
    """Return the weights that the alias leads to."""
    folder = connected(home).artifacts.download_artifacts(f"models:/{EXPERIMENT}@published")
    return (Path(folder) / "artifacts/model.safetensors").read_bytes()


def test_odd_paths_hold_the_database_and_the_artifacts(template):
    assert sorted(path.name for path in template.parents[1].iterdir()) == [ODD]
    assert [path.name for path in template.parent.iterdir()] == ["repository"]
    assert {path.name for path in template.iterdir()} >= {"mlflow.db", "mlartifacts"}
    assert published_weights(template) == b"weights of Im"


def test_moved_repository_finds_its_artifacts_and_leaves_the_old_place_alone(original, params):
    moved = original.rename(original.with_name(ODD))
    before = weights_of(moved)
    assert published_weights(moved) == b"weights of Im"
    assert all(place.startswith((moved / "mlartifacts").as_uri()) for place in locations(moved))
    train(moved, params)
    assert len(weights_of(moved) - before) == 1
    assert not original.exists()
    assert published_weights(moved.rename(original)) == b"weights of Im", "and back"


def test_copy_does_not_write_into_the_original(original, params):
    copy = shutil.copytree(original, original.with_name("copy"))
    before = weights_of(original)
    (original / "mlartifacts").rename(original / "kept")  # the original cannot help
    published_weights(copy)
    (original / "kept").rename(original / "mlartifacts")
    train(copy, params)
    assert (weights_of(original), len(weights_of(copy))) == (before, len(before) + 1)
    assert not any((copy / "mlartifacts").as_uri() in place for place in locations(original))


def test_copy_without_artifacts_reads_the_originals_until_it_has_them(original, params):
    copy = original.with_name("copy")
    copy.mkdir()
    shutil.copy(original / "mlflow.db", copy)
    shutil.copytree(original / "models", copy / "models")
    assert published_weights(copy) == b"weights of Im"
    train(copy, params)
    assert len(weights_of(copy)) == 1
    shutil.copytree(original / "mlartifacts", copy / "mlartifacts", dirs_exist_ok=True)
    shutil.rmtree(original)
    assert published_weights(copy) == b"weights of Im"


@pytest.mark.parametrize("place", ["s3://bucket/mlartifacts", "file:///big/disk/artifacts", "mlflow-artifacts:/1"])
def test_locations_chosen_by_the_user_are_kept(original, place):
    with sqlite3.connect(original / "mlflow.db") as database:
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = ?", [place, EXPERIMENT])
    assert place in locations(original)
    assert read_experiment(original, EXPERIMENT) == (False, None)
    connected(original)
    assert place in locations(original)


def test_deleted_experiment_is_restored_with_its_runs(original, caplog):
    mlflow = connected(original)
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    mlflow.MlflowClient().delete_experiment(experiment.experiment_id)
    assert read_experiment(original, EXPERIMENT) == (True, None)
    with caplog.at_level(logging.WARNING):
        connected(original)
    assert len(caplog.records) == 1
    assert len(mlflow.MlflowClient().search_runs([experiment.experiment_id])) == 1
    connected(original)
    assert len(caplog.records) == 1


def test_store_that_cannot_be_opened_is_given_up_at_once(tmp_path, params, caplog):
    (tmp_path / "mlflow.db").mkdir()
    make_model(tmp_path)
    with caplog.at_level(logging.WARNING):
        train(tmp_path, params)
    assert "unable to open database file" in caplog.text


@pytest.fixture(params=["refuses", "never answers"])
def silent_server(request, monkeypatch):
    """The address of an unreachable server, with a password."""
    monkeypatch.setattr(store, "FIRST", {store.TIMEOUT: "1", store.RETRIES: "0"})
    for name in store.LATER:
        monkeypatch.delenv(name, raising=False)
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://me:secret@127.0.0.1:{server.getsockname()[1]}"
    if request.param == "refuses":
        server.close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    yield server
    server.close()


@pytest.mark.usefixtures("silent_server")
def test_unreachable_server_is_called_once_with_advice_for_logging(tmp_path, params, caplog):
    make_model(tmp_path)
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        train(tmp_path, params)
        train(tmp_path, params)
    (record,) = caplog.records
    assert "sync-mlflow" in record.message
    assert "secret" not in record.message


def test_server_that_stops_answering_is_not_called_again(monkeypatch):
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectTimeout

    called = []

    @never_fails
    def log_something(error: Exception | None) -> str:
        called.append(error)
        if error:
            raise MlflowException("API request failed") from error
        return "logged"

    monkeypatch.setenv(store.TIMEOUT, "30")  # and the settings of giving up are undone
    monkeypatch.setenv(store.RETRIES, "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert (log_something(ValueError()), log_something(None)) == (None, "logged")
    assert (log_something(ConnectTimeout()), log_something(None)) == (None, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:2")
    assert log_something(None) == "logged"
    assert len(called) == 4


@pytest.mark.usefixtures("silent_server")
def test_command_names_the_unreachable_server(tmp_path):
    with pytest.raises(store.PipelineError, match="cannot be reached") as raised, explained():
        connected(tmp_path)
    assert "secret" not in str(raised.value)
