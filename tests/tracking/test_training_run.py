"""MLflow: one run per variant in the repository's own store, found by its model, and never failing a stage."""

import dataclasses
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.params import Params
from pipeline.tracking.evaluation import log_evaluation
from pipeline.tracking.store import tracking_uri
from pipeline.tracking.training import PROCESS_TAG, TrainingRun, training_run
from tests.forks import Fork
from tests.tracking.small import ended_process

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]
METRICS = {
    "variant": "All",
    "pool": "eval",
    "paragraphs": "mean",
    "unit": "segment",
    "dataset": "ad7e",
    "mrr": 0.5,
    "queries": 3,
    "ci95": {"mrr": [0.1, 0.9]},
    "chance": {"mrr": 0.2},
    "reference": {},
}


def train_once(root, folder, params, variant="Im"):
    with training_run(root, variant, asdict(params), "0123456789abcdef") as run:
        run.log_epoch({"epoch": 1, "train_loss": 2.0, "valid_loss": 3.0})
        run.log_epoch({"epoch": 2, "train_loss": 1.0, "valid_loss": 2.5})
        run.log_model(folder)
    return run.run_id


def stored_run(root, run_id):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(root)).get_run(run_id)


def test_run_holds_parameters_tags_curves_and_evaluation(tmp_path, model, params, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "hazy-tune")
    run_id = train_once(tmp_path, model, params)
    log_evaluation(tmp_path, model, METRICS)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(tmp_path))
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.learning_rate"] == str(params.train.learning_rate)
    assert run.data.params["variants"] == "['image']"
    assert run.data.params["variant"] == "Im"
    assert run.data.tags["modalities"] == "image"
    assert run.data.tags["dvc.exp_name"] == "hazy-tune"
    assert [point.value for point in client.get_metric_history(run_id, "valid_loss")] == [3.0, 2.5]
    assert run.data.metrics["mrr"] == 0.5
    assert run.data.metrics["chance/mrr"] == 0.2
    assert run.data.metrics["ci95_low/mrr"] == 0.1
    assert (run.data.tags["evaluation.pool"], run.data.tags["evaluation.dataset"]) == ("eval", "ad7e")
    assert run.info.run_name == "Im · hazy-tune"
    (output,) = run.outputs.model_outputs
    assert {m.key: m.value for m in client.get_logged_model(output.model_id).metrics} == {
        name: value for name, value in run.data.metrics.items() if not name.endswith("_loss")
    }
    assert run.inputs.dataset_inputs[0].dataset.digest == "0123456789abcdef"
    assert len(client.search_runs([run.info.experiment_id])) == 1


def test_another_kind_of_evaluation_is_a_child_run_of_the_training(tmp_path, model, params, monkeypatch):
    trained = train_once(tmp_path, model, params)
    log_evaluation(tmp_path, model, METRICS)
    monkeypatch.setenv("DVC_EXP_NAME", "hazy-tune")
    for mrr in (0.3, 0.25):  # the second time with other figures in the same run
        log_evaluation(tmp_path, model, METRICS | {"pool": "all", "mrr": mrr})
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(tmp_path))
    runs = {run.info.run_id: run for run in client.search_runs([client.get_run(trained).info.experiment_id])}
    assert runs[trained].data.metrics["mrr"] == 0.5
    assert runs.pop(trained).data.tags["evaluation.pool"] == "eval"
    (other,) = runs.values()
    assert (other.data.metrics["mrr"], other.data.params["evaluate.pool"]) == (0.25, "all")
    assert other.data.params["train.learning_rate"] == str(params.train.learning_rate)
    assert other.data.tags["mlflow.parentRunId"] == trained
    assert (other.data.tags["variant"], other.data.tags["dvc.exp_name"]) == ("Im", "hazy-tune")
    assert other.data.tags["evaluation.unit"] == "segment"
    log_evaluation(tmp_path, model, METRICS | {"unit": "recording", "mrr": 0.875})
    assert client.get_run(trained).data.metrics["mrr"] == 0.5, "recordings are another unit"
    log_evaluation(tmp_path, model, METRICS | {"mrr": 0.75})
    assert client.get_run(trained).data.metrics["mrr"] == 0.75, "the training's own way stays on its run"


def test_copy_of_the_repository_logs_into_the_main_one(tmp_path, model, params, monkeypatch):
    main, copy = tmp_path / "main", tmp_path / "copy"
    main.mkdir()
    copy.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(main))
    train_once(copy, model, params)
    assert (main / "mlflow.db").is_file()
    assert list(copy.iterdir()) == []


def test_two_repositories_in_one_process_keep_their_runs_apart(tmp_path, model, params):
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        root.mkdir()
        run_id = train_once(root, model, params)
        assert stored_run(root, run_id).data.tags["variant"] == "Im"


def test_failed_training_is_marked_as_failed(tmp_path, params):
    runs = []
    with pytest.raises(RuntimeError), training_run(tmp_path, "Im", asdict(params), "00") as run:
        runs.append(run.run_id)
        raise RuntimeError
    assert stored_run(tmp_path, runs[0]).info.status == "FAILED"


def test_failing_store_only_warns(tmp_path, model, params, caplog):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 100)
    with caplog.at_level(logging.WARNING):
        train_once(tmp_path, model, params)
        log_evaluation(tmp_path, model, METRICS)
    assert "continuing without it" in caplog.text


def test_evaluation_of_a_model_without_a_run_warns(tmp_path, model, params, caplog):
    train_once(tmp_path, model, params)
    (model / "model.safetensors").write_bytes(b"other weights")
    with caplog.at_level(logging.WARNING):
        log_evaluation(tmp_path, model, METRICS)
    assert "there is no run for" in caplog.text


def killed_run(root, params, process):
    """Return the id of an unfinished run started by `process`."""
    import mlflow

    run = TrainingRun(root, "Im", asdict(params), "00", logs=True, gpu=False)
    run.log_epoch({"epoch": 1, "train_loss": 2.0})
    mlflow.set_tag(PROCESS_TAG, process)
    mlflow.end_run("RUNNING")
    return run.run_id


def begun_again(root, params, digest="00"):
    with training_run(root, "Im", asdict(params), digest) as run:
        run.log_epoch({"epoch": 2, "train_loss": 1.0})
    return run.run_id


@pytest.fixture
def ended() -> str:
    return ended_process()


def test_killed_training_resumes_its_own_run(tmp_path, params, ended):
    from mlflow import MlflowClient

    first = killed_run(tmp_path, params, ended)
    assert begun_again(tmp_path, params) == first
    client = MlflowClient(tracking_uri(tmp_path))
    assert [point.step for point in client.get_metric_history(first, "train_loss")] == [1, 2]
    assert client.get_run(first).info.status == "FINISHED"
    assert begun_again(tmp_path, params) != first, "what has finished is another run's business"


@pytest.mark.parametrize(
    "process",
    [f"{platform.node()} {os.getpid()}", "elsewhere 99999999", ""],
    ids=["this one", "elsewhere", "not known"],
)
def test_run_of_a_process_that_may_be_alive_is_left_alone(tmp_path, params, process):
    first = killed_run(tmp_path, params, process)
    assert begun_again(tmp_path, params) != first
    assert stored_run(tmp_path, first).info.status == "RUNNING"


def test_other_trainings_do_not_resume_a_killed_run(tmp_path, params, ended):
    first = killed_run(tmp_path, params, ended)
    other = dataclasses.replace(params, train=dataclasses.replace(params.train, seed=7))
    assert begun_again(tmp_path, other) != first
    assert begun_again(tmp_path, params, digest="01") != first


def test_processes_other_than_the_first_log_nothing(tmp_path, params, model):
    (tmp_path / "mlflow.db").unlink()
    with training_run(tmp_path, "Im", asdict(params), "00", logs=False) as run:
        run.log_epoch({"epoch": 1, "train_loss": 2.0})
        run.log_model(model)
    assert not (tmp_path / "mlflow.db").exists()


def test_system_metrics_are_logged_where_there_is_a_gpu(tmp_path, params, monkeypatch):
    import mlflow

    asked, start = [], mlflow.start_run
    monkeypatch.setattr(
        mlflow, "start_run", lambda *a, **k: asked.append(k.pop("log_system_metrics")) or start(*a, **k)
    )
    for gpu in (True, False):
        with training_run(tmp_path, "Im", asdict(params), "00", gpu=gpu):
            pass
    assert asked == [True, False]


def test_variants_have_colours_of_their_own_but_not_the_runs_of_a_grid(tmp_path, params, monkeypatch):
    runs = []
    for variant in params.variants:
        with training_run(tmp_path, variant, asdict(params), "00") as run:
            runs.append(run.run_id)
    colours = {stored_run(tmp_path, run).data.tags["mlflow.runColor"] for run in runs}
    assert len(colours) == len(params.variants)
    assert stored_run(tmp_path, runs[0]).info.run_name == next(iter(params.variants))
    monkeypatch.setenv("DVC_EXP_NAME", "hazy-tune")
    with training_run(tmp_path, "Im", asdict(params), "00") as run:
        pass
    assert "mlflow.runColor" not in stored_run(tmp_path, run.run_id).data.tags


def track(say: Callable[[str], None], root: Path, variant: str, params: Params, folder: Path) -> None:
    """Log a training run of one epoch."""
    with training_run(root, variant, asdict(params), "00") as run:
        run.log_epoch({"epoch": 1, "train_loss": 2.0})
        run.log_model(folder)


def test_two_trainings_at_once_on_a_fresh_store(tmp_path, model, params):
    (tmp_path / "mlflow.db").unlink()
    processes = []
    for variant in list(params.variants)[:2]:
        (tmp_path / variant).mkdir()
        processes.append(Fork(tmp_path / variant, track, tmp_path, variant, params, model))
    logs = [process.finish() for process in processes]
    assert not [log for log in logs if "continuing without it" in log]
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(tmp_path))
    runs = client.search_runs([client.get_experiment_by_name("soundtrack-retrieval").experiment_id])
    assert sorted(run.data.tags["variant"] for run in runs) == sorted(list(params.variants)[:2])
    assert all(run.info.status == "FINISHED" and len(run.outputs.model_outputs) == 1 for run in runs)
