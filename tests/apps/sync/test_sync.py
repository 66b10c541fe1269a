"""`sync-mlflow`: runs from files, once, for models that DVC restored from its cache."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.apps.sync.restored import sync
from pipeline.params import load_params
from pipeline.tracking.store import connected, one_at_a_time
from pipeline.tracking.training import PROCESS_TAG, TrainingRun, training_run
from tests.tracking.small import ended_process

pytestmark = pytest.mark.slow


def test_run_is_logged_from_files_once(restored, command, capsys):
    from mlflow import MlflowClient

    assert command("sync-mlflow") == 0
    out = capsys.readouterr().out
    assert "Im     logged" in out
    assert "Ta     no model" in out
    (run,) = restored.runs()
    assert (run.info.run_name, run.info.status) == ("Im", "FINISHED")
    assert run.data.tags["restored"] == "true"
    assert run.data.tags["modalities"] == "image"
    assert run.data.metrics["recall_at_10"] == 0.5
    assert run.data.metrics["ci95_high/mrr"] == 0.9
    client = MlflowClient(f"sqlite:///{restored.root}/mlflow.db")
    history = {n: client.get_metric_history(run.info.run_id, n) for n in ("train_loss", "valid_loss")}
    assert [(point.step, point.value) for point in history["train_loss"]] == [(1, 2.0), (2, 1.0)]
    assert [(point.step, point.value) for point in history["valid_loss"]] == [(1, 3.0)]
    (output,) = run.outputs.model_outputs
    assert "recall_at_10" in {metric.key for metric in client.get_logged_model(output.model_id).metrics}

    assert command("sync-mlflow") == 0
    out = capsys.readouterr().out
    assert "Im     there already" in out
    assert "nothing to log" in out
    assert len(restored.runs()) == 1


def test_parameters_are_those_that_produced_the_model(restored, command):
    command("sync-mlflow")
    (run,) = restored.runs()
    assert run.data.tags["params.from"] == "dvc.lock"
    assert run.data.params == {
        "train.learning_rate": "0.125",
        "train.patience": "None",
        "split.seed": "0",
        "variant": "Im",
        "variants": "['image']",
    }


@pytest.mark.parametrize("lock", ["of other weights", "damaged", "missing"])
def test_without_its_lock_they_are_those_of_params_yaml_with_a_note(restored, command, capsys, lock):
    path = restored.root / "dvc.lock"
    if lock == "of other weights":
        restored.weights.write_bytes(b"trained elsewhere")
        restored.evaluate()
    elif lock == "damaged":
        path.write_text("stages: [")
    else:
        path.unlink()
    command("sync-mlflow")
    (run,) = restored.runs()
    assert run.data.tags["params.from"] == "params.yaml"
    assert run.data.params["train.learning_rate"] == str(load_params(Path("params.yaml")).train.learning_rate)
    assert "parameters are from the current params.yaml" in capsys.readouterr().out


def test_missing_and_new_metrics_are_added_to_a_run(restored, command, capsys):
    with training_run(restored.root, "Im", asdict(load_params(Path("params.yaml"))), "00") as trained:
        trained.log_model(restored.weights.parent)
    for value in (0.5, 0.75):
        restored.evaluate(recall_at_10=value)
        command("sync-mlflow")
        assert "Im     metrics added" in capsys.readouterr().out
        (run,) = restored.runs()
        assert (run.info.run_id, run.data.metrics["recall_at_10"]) == (trained.run_id, value)
        assert "restored" not in run.data.tags
    command("sync-mlflow")
    assert "nothing to log" in capsys.readouterr().out


def curves(restored, run) -> dict[str, list[tuple[int, float]]]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{restored.root}/mlflow.db")
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in ("train_loss", "valid_loss")}
    return {name: sorted((point.step, point.value) for point in found) for name, found in histories.items()}


def test_epochs_that_a_run_lacks_are_added(restored, command, capsys):
    with training_run(restored.root, "Im", asdict(load_params(Path("params.yaml"))), "00") as trained:
        trained.log_epoch({"epoch": 2, "train_loss": 1.0})
        trained.log_model(restored.weights.parent)
    command("sync-mlflow")
    assert "Im     metrics added" in capsys.readouterr().out
    (run,) = restored.runs()
    assert curves(restored, run) == {"train_loss": [(1, 2.0), (2, 1.0)], "valid_loss": [(1, 3.0)]}
    command("sync-mlflow")
    assert "nothing to log" in capsys.readouterr().out


def test_training_that_lost_its_server_is_completed(restored, command, monkeypatch):
    """It started a run, and its process ended without completing it."""
    import mlflow

    begun = TrainingRun(restored.root, "Im", asdict(load_params(Path("params.yaml"))), "", logs=True, gpu=False)
    begun.log_epoch({"epoch": 1, "train_loss": 2.0, "valid_loss": 3.0})
    mlflow.set_tag(PROCESS_TAG, ended_process())
    mlflow.end_run("RUNNING")
    command("sync-mlflow")
    (run,) = restored.runs()
    assert (run.info.run_id, run.info.status) == (begun.run_id, "FINISHED")
    assert curves(restored, run) == {"train_loss": [(1, 2.0), (2, 1.0)], "valid_loss": [(1, 3.0)]}
    assert len(run.outputs.model_outputs) == 1
    assert run.data.metrics["recall_at_10"] == 0.5


def test_metrics_of_another_model_are_not_logged_but_reported(restored, command, capsys):
    restored.evaluate(model={"model.safetensors": "0" * 64})
    command("sync-mlflow")
    assert "the evaluation is of another model: run `dvc repro evaluate@Im`" in capsys.readouterr().out
    (run,) = restored.runs()
    assert "recall_at_10" not in run.data.metrics


def test_model_without_evaluation_is_logged_with_a_note(restored, command, capsys):
    (restored.root / "metrics/evaluate/Im.json").unlink()
    command("sync-mlflow")
    assert "not evaluated: run `dvc repro evaluate@Im`" in capsys.readouterr().out
    assert len(restored.runs()) == 1


def test_damaged_figures_are_named(restored, command, capsys):
    (restored.root / "metrics/evaluate/Im.json").write_text("{")
    assert command("sync-mlflow") == 1
    assert "Im.json cannot be read" in capsys.readouterr().err


def test_published_model_is_registered(restored, command, capsys):
    folder = restored.root / "models/published"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "tracks.parquet"):
        (folder / name).write_bytes(b"weights")
    (restored.root / "metrics/retrieval.json").write_text('{"variant": "Im", "recall_at_10": 0.5}')
    command("sync-mlflow")
    assert "models:/soundtrack-retrieval@published is version 1\n" in capsys.readouterr().out
    command("sync-mlflow")
    out = capsys.readouterr().out
    assert "is version 1 (unchanged)" in out
    assert "nothing to log" in out


def test_one_waits_for_another_and_then_finds_its_run(restored):
    mlflow = connected(restored.root)
    with ThreadPoolExecutor() as other:
        with one_at_a_time(restored.root):
            later = other.submit(sync, mlflow, restored.root, restored.root, {})
            assert not wait([later], timeout=1.0).done
            assert restored.runs() == []
            with training_run(restored.root, "Im", asdict(load_params(Path("params.yaml"))), "00") as trained:
                trained.log_model(restored.weights.parent)
        outcomes = {outcome.variant: outcome.action for outcome in later.result(timeout=60)}
    assert outcomes["Im"] == "metrics added"
    assert [run.info.run_id for run in restored.runs()] == [trained.run_id]


def test_store_that_fails_is_an_error_without_a_traceback(restored, command, capsys):
    (restored.root / "mlflow.db").write_bytes(b"this is not a database" * 100)
    assert command("sync-mlflow") == 1
    assert "ERROR: MLflow: " in capsys.readouterr().err
