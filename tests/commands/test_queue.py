"""Experiments with DVC: queued, in copies, shown, compared, applied, and in MLflow."""

import csv
import json
import re
import shutil
import time

import pytest

from pipeline.__main__ import main
from pipeline.tracking.store import EXPERIMENT
from tests.small_repository import Repository

RATE = 0.0007


@pytest.fixture(scope="module")
def repository(small_repository, tmp_path_factory) -> Repository:
    """A clone of the built repository with its data, without its MLflow store."""
    folder = tmp_path_factory.mktemp("experiments") / "repository"
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts", "exps", "queue")
    shutil.copytree(small_repository.folder, folder, symlinks=True, ignore=left_out)
    return Repository(folder)


def runs(repository: Repository) -> list:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{repository.folder}/mlflow.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return client.search_runs([experiment.experiment_id], max_results=1000)


def shown(repository: Repository, *options: str) -> list[dict[str, str]]:
    """Return the rows of `dvc exp show`."""
    return list(csv.DictReader(repository.succeed("dvc", "exp", "show", "--csv", *options).splitlines()))


def unfinished(repository: Repository) -> bool:
    """Return whether an experiment waits or runs; asked in this process, as each command of DVC takes seconds."""
    from dvc.repo import Repo

    with Repo(str(repository.folder)) as repo:
        return {task["status"] for task in repo.experiments.celery_queue.status()} & {"Queued", "Running"} != set()


def back_to_head(repository: Repository) -> None:
    repository.succeed("git", "reset", "-q", "--hard")
    repository.succeed("dvc", "checkout", "-q")


def test_queue_refuses_in_the_repository_and_leaves_it_empty(repository):
    done = repository.run("python", "-m", "pipeline", "queue", "-S", "variant=Im,Nope", "publish")
    assert done.returncode == 1
    assert "ERROR: params.yaml: variant: found 'Nope', allowed are Im, All" in done.stdout
    assert "No experiment tasks" in repository.succeed("dvc", "queue", "status")


def test_a_queued_grid_runs_in_two_workers_and_arrives_in_the_main_store(repository):
    output = repository.succeed(
        "python", "-m", "pipeline", "queue", "-S", "variant=Im,All", "-S", f"train.learning_rate={RATE}", "publish"
    )
    assert output.count("Queued experiment") == 2
    repository.succeed("dvc", "queue", "start", "-j", "2")
    end = time.monotonic() + 180
    while unfinished(repository):
        assert time.monotonic() < end, repository.succeed("dvc", "queue", "status")
        time.sleep(3.0)  # asking takes half a second
    repository.run("dvc", "queue", "stop")  # a worker may wait for more
    status = repository.succeed("dvc", "queue", "status")
    names = re.findall(r"'?([a-z]+-[a-z]+)'?", output)
    failed = [repository.run("dvc", "queue", "logs", name).stdout for name in names if "Failed" in status]
    assert status.count("Success") == 2, (status, failed)
    found = {run.data.tags["variant"]: run for run in runs(repository)}
    assert set(found) == {"Im", "All"}, "in the main store, not in a copy's"
    rows = {row["Experiment"]: row for row in shown(repository, "--only-changed")}
    for variant, run in found.items():
        name = run.data.tags["dvc.exp_name"]
        assert name in rows
        assert run.data.params["train.learning_rate"] == str(RATE)
        assert float(rows[name]["recall_at_10"]) == pytest.approx(run.data.metrics["recall_at_10"], abs=1e-4)
        assert rows[name]["params.yaml:variant"] == rows[name]["metrics/retrieval.json:variant"] == variant
        assert rows[name]["train.learning_rate"] == str(RATE)


def test_experiments_are_shown_compared_and_applied(repository):
    """Uses the experiments that the queue ran."""
    names = {run.data.tags["variant"]: run.data.tags["dvc.exp_name"] for run in runs(repository)}
    columns = set(shown(repository, "--only-changed")[0])
    assert {"params.yaml:variant", "train.learning_rate", "recall_at_10", "mrr"} <= columns
    assert {"train.epochs", "evaluate.seed", "split.seed", "queries"} & columns == set(), "they are the same in all"
    table = repository.succeed("dvc", "exp", "diff", names["Im"], names["All"], "--md")
    assert re.search(r"\| params.yaml +\| variant +\| Im +\| All ", table), table
    assert re.search(r"\| metrics/retrieval.json +\| mrr +\|", table), table

    repository.succeed("dvc", "exp", "apply", names["Im"])
    assert repository.json("metrics/retrieval.json")["variant"] == "Im"
    params = repository.succeed("dvc", "params", "diff", "main", "--md")
    assert re.search(rf"\| params.yaml +\| train.learning_rate +\| \S+ +\| {RATE} ", params), params
    changes = repository.succeed("dvc", "metrics", "diff", "main", "--md")
    assert re.search(r"\| metrics/retrieval.json +\| variant +\| All +\| Im +\| - ", changes), changes
    assert repository.ran(repository.succeed("dvc", "repro", "publish")) == [], "what was applied is up to date"
    back_to_head(repository)


def test_metrics_fit_a_screen(repository):
    lines = repository.succeed("dvc", "metrics", "show", "--md", "metrics/retrieval.json").splitlines()
    assert max(map(len, lines)) <= 120, lines
    assert "recall_at_10" in lines[0]


def test_plots_have_the_variants_and_the_learning_curves(repository, tmp_path):
    plots = json.loads(repository.succeed("dvc", "plots", "show", "--json"))
    drawn = json.dumps(plots)
    for name in ("metrics/plots/variants.csv", "metrics/plots/learning.csv", "models/Im/history.csv"):
        assert name in drawn


def test_what_dvc_restores_appears_in_mlflow_once(repository, monkeypatch, capsys):
    """The store starts without the runs of the first `dvc repro`: they are logged from the files."""
    before = {run.info.run_id for run in runs(repository)}
    monkeypatch.chdir(repository.folder)
    assert main(["sync-mlflow"]) == 0
    output = capsys.readouterr().out
    new = [run for run in runs(repository) if run.info.run_id not in before]
    assert {run.data.tags["variant"] for run in new} == {"Im", "All"}, output
    for run in new:
        metrics = repository.json(f"metrics/evaluate/{run.data.tags['variant']}.json")
        assert run.data.metrics["recall_at_10"] == metrics["recall_at_10"]
        assert float(run.data.params["train.learning_rate"]) != RATE
    assert main(["sync-mlflow"]) == 0
    assert len(runs(repository)) == len(before) + 2
