"""`leaderboard`: variants and experiments; only comparable ones in one table."""

import json
import re
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.core.files import sha256_of, write_json
from pipeline.params import load_params
from pipeline.tracking.evaluation import log_evaluation
from pipeline.tracking.training import training_run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def metrics_of(variant: str, recall: float, **others) -> dict:
    return {
        "variant": variant,
        "pool": "eval",
        "queries": 31,
        "candidates": 142,
        "recall_at_10": recall,
        "mrr": recall / 2,
        "median_rank": 20 - 10 * recall,
        "ci95": {"recall_at_10": [recall - 0.1, recall + 0.1], "mrr": [0.05, 0.5], "median_rank": [3, 30]},
        "chance": {"recall_at_10": 0.07, "mrr": 0.117, "median_rank": 20.7},
        "dataset": "ad7e7e381019ec76",
        "model": {"model.safetensors": f"digest of {variant}"},
    } | others


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A folder with metrics of two variants and no store."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for variant, recall in {"Im": 0.2, "Ta": 0.4}.items():
        write_json(tmp_path / f"metrics/evaluate/{variant}.json", metrics_of(variant, recall))
    return tmp_path


def experiment(root, monkeypatch, variant: str, name: str, weights: bytes, metrics: dict | None) -> None:
    """Log the run of an experiment with another learning rate."""
    params = load_params(root / "params.yaml")
    evaluate = replace(params.evaluate, pool=metrics["pool"] if metrics else "eval")
    params = replace(params, train=replace(params.train, learning_rate=0.0005), evaluate=evaluate)
    folder = root / f"elsewhere/{variant}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("DVC_EXP_NAME", name)
    with training_run(root, variant, asdict(params), "00") as run:
        run.log_model(folder)
    if metrics:
        log_evaluation(root, folder, metrics)


def rows(text: str) -> list[str]:
    """Return the first two words of each row of the tables."""
    found = [line.split() for line in text.splitlines() if line[:1] == " " != line[1:2]]  # without continuation lines
    return [" ".join(words[:2]) for words in found if words and words[0] != "variant" and words[0][0] != "─"]


def test_without_a_store_the_files_are_shown_best_first(root, capsys):
    assert main(["leaderboard"]) == 0
    out = capsys.readouterr().out
    assert rows(out) == ["Ta workspace", "Im workspace", "chance 0.070"]
    assert "0.400 0.300–0.500" in out
    assert "31 films, 142 tracks of the test set; data ad7e7e38" in out
    assert "MLflow has no runs" in out
    assert max(map(len, out.splitlines())) <= 100
    assert not (root / "mlflow.db").exists()


def test_a_lower_rank_is_better(root, capsys):
    main(["leaderboard", "--metric", "median_rank"])
    assert rows(capsys.readouterr().out)[:2] == ["Ta workspace", "Im workspace"]
    main(["leaderboard", "--metric", "mrr"])
    assert rows(capsys.readouterr().out)[:2] == ["Ta workspace", "Im workspace"]


@pytest.mark.usefixtures("own_store")
def test_experiments_stand_among_the_variants_and_other_data_apart(root, capsys, monkeypatch):
    experiment(root, monkeypatch, "Im", "hazy-tune", b"a", metrics_of("Im", 0.3))
    experiment(root, monkeypatch, "Ta", "other-pool", b"b", metrics_of("Ta", 0.9, pool="all"))
    experiment(root, monkeypatch, "Plo", "other-data", b"c", metrics_of("Plo", 0.8, dataset="0000"))
    experiment(root, monkeypatch, "All", "not-evaluated", b"d", None)
    assert main(["leaderboard"]) == 0
    out = capsys.readouterr().out
    same, _, others = out.partition("not comparable with the table above.")
    assert rows(same) == ["Ta workspace", "Im hazy-tune", "Im workspace", "chance 0.070"]
    assert "learning_rate=0.0005" in same
    assert sorted(rows(others)) == ["Plo other-data", "Ta other-pool", "chance 0.070", "chance 0.070"]
    assert "142 tracks of all splits" in others
    assert "4 runs, 3 evaluated models besides those of the workspace; 1 not evaluated." in out.replace("\n", " ")
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.usefixtures("own_store")
def test_model_of_the_workspace_evaluated_in_another_way_stands_apart(root, capsys, monkeypatch):
    experiment(root, monkeypatch, "Im", "hazy-tune", b"a", metrics_of("Im", 0.3))
    weights = root / "elsewhere/Im/model.safetensors"
    mine = metrics_of("Im", 0.3, model={"model.safetensors": sha256_of(weights)})
    write_json(root / "metrics/evaluate/Im.json", mine)
    monkeypatch.setenv("DVC_EXP_NAME", "all-tracks")
    log_evaluation(root, weights.parent, metrics_of("Im", 0.1, pool="all", candidates=469))
    assert main(["leaderboard"]) == 0
    same, _, others = capsys.readouterr().out.partition("not comparable with the table above.")
    assert rows(same) == ["Ta workspace", "Im workspace", "chance 0.070"]
    assert rows(others) == ["Im all-tracks", "chance 0.070"]
    assert "pool=all" in others
    write_json(root / "metrics/evaluate/Im.json", metrics_of("Im", 0.1, pool="all", candidates=469))
    main(["leaderboard"])
    assert "all-tracks" not in capsys.readouterr().out, "the workspace has these figures now"


def test_figures_of_recordings_stand_apart(root, capsys):
    """Even if as many recordings as segments are ranked; files without a unit ranked segments."""
    write_json(root / "metrics/evaluate/All.json", metrics_of("All", 0.6, unit="recording"))
    write_json(root / "metrics/evaluate/Plo.json", metrics_of("Plo", 0.3, unit="segment"))
    main(["leaderboard"])
    same, _, others = capsys.readouterr().out.partition("not comparable with the table above.")
    assert rows(same) == ["Ta workspace", "Plo workspace", "Im workspace", "chance 0.070"]
    assert rows(others) == ["All workspace", "chance 0.070"]
    assert "31 films, 142 tracks of" in same and "31 films, 142 recordings of" in others


def test_an_applied_experiment_shows_its_own_parameters(root, capsys):
    text = (root / "params.yaml").read_text()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "params.yaml"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    (root / "params.yaml").write_text(re.sub(r"(\n  learning_rate:) \S+", r"\1 0.0007", text))
    main(["leaderboard", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [row["changed"] for row in found] == ["learning_rate=0.0007"] * 2


def test_json_has_the_same_rows(root, capsys):
    main(["leaderboard", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [(row["variant"], row["run"], row["pool"], row["tracks"]) for row in found] == [
        ("Ta", "workspace", "eval", 142),
        ("Im", "workspace", "eval", 142),
    ]
    assert found[0]["metrics"]["recall_at_10"] == {"value": 0.4, "low": pytest.approx(0.3), "high": 0.5}


def test_unknown_metric_names_the_allowed_ones(root, capsys):
    assert main(["leaderboard", "--metric", "accuracy"]) == 1
    assert "--metric: found 'accuracy', allowed are median_rank, mrr, recall_at_10" in capsys.readouterr().err


def test_nothing_evaluated_says_what_to_run(root, capsys):
    shutil.rmtree(root / "metrics")
    assert main(["leaderboard"]) == 1
    assert "nothing has been evaluated: run `dvc repro`" in capsys.readouterr().err


def test_store_that_fails_leaves_the_files(root, capsys):
    (root / "mlflow.db").write_bytes(b"this is not a database" * 100)
    assert main(["leaderboard"]) == 0
    out = capsys.readouterr().out
    assert rows(out)[:2] == ["Ta workspace", "Im workspace"]
    assert "The table shows only the workspace." in out
