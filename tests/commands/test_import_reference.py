"""`import-reference --evaluate` on imported models in a repository with DVC.

Tests of reading checkpoints are in tests/apps/checkpoint; published towers take minutes for a few films.
"""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from pipeline.apps.checkpoint.evaluating import RETURN, announce, print_results
from pipeline.params import load_params
from tests.small_repository import Repository

ROOT = Path(__file__).parents[2]
PRESET = "evaluate: {bootstrap_samples: 40}\n"  # of an unpublished model
EVALUATE = """
from pathlib import Path
from pipeline.apps.checkpoint.evaluating import evaluate_imported
assert evaluate_imported(Path(), ["Im"]) == 0
"""
FIGURES = {"recall_at_10": 0.25, "mrr": 0.125, "median_rank": 9.5}


@pytest.fixture(scope="module")
def repository(small_repository, tmp_path_factory) -> Repository:
    """A copy of the built repository in which the model of Im is not the trained one."""
    folder = tmp_path_factory.mktemp("imported") / "repository"
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts", "runs")
    shutil.copytree(small_repository.folder, folder, symlinks=True, ignore=left_out)
    (folder / "presets").mkdir()
    (folder / "presets/reference-checkpoint.yaml").write_text(PRESET)
    path = folder / "models/Im/model.safetensors"
    weights = {name: -value for name, value in load_file(path).items()}
    path.unlink()
    save_file(weights, path)
    return Repository(folder)


def test_models_are_evaluated_and_compared_and_no_other_variant(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository.folder)
    weights = (repository.folder / "models/Im/model.safetensors").read_bytes()
    before = repository.json("metrics/evaluate/All.json"), repository.outs("train@All")
    announce(Path(), ["Im"])
    out = capsys.readouterr().out
    assert "evaluate.bootstrap_samples: 50 → 40" in out
    assert "not committed" not in out
    with Path("params.yaml").open("a") as file:
        file.write("# mine\n")
    announce(Path(), ["Im"])
    assert "params.yaml: uncommitted changes" in capsys.readouterr().out
    assert "bootstrap_samples: 50" in Path("params.yaml").read_text(), "nothing is changed yet"

    out = repository.succeed("python", "-c", EVALUATE)
    assert [line.split()[-1] for line in out.splitlines() if "> python" in line] == ["Im"], "the one stage that ran"
    assert (repository.folder / "models/Im/model.safetensors").read_bytes() == weights
    assert list(repository.json("metrics/comparison.json")["variants"]) == ["Im"]
    assert (repository.json("metrics/evaluate/All.json"), repository.outs("train@All")) == before
    cached = [path.read_text() for path in Path(".dvc/cache/runs").glob("*/*/*")]
    assert not [text for text in cached if "stages.train" in text], "later trainings are not given this model"
    state = repository.succeed("dvc", "status", "train@Im", "evaluate@Im")
    assert "up to date" in state

    announce(Path(), ["Im"])
    assert "→" not in capsys.readouterr().out

    repository.succeed("sh", "-c", RETURN)
    assert (repository.folder / "models/Im/model.safetensors").read_bytes() != weights


def test_table_has_a_row_per_variant_of_the_paper(tmp_path, capsys):
    chances = {"recall_at_10": 0.07, "mrr": 0.117, "median_rank": 20.7}
    ends = {"recall_at_10": [0.2, 0.3], "mrr": [0.1, 0.2], "median_rank": [5, 12]}
    metrics = {"queries": 31, "candidates": 142, "pool": "eval", "unit": "segment", "chance": chances, "ci95": ends}
    metrics |= FIGURES | {"reference": {"recall_at_10": 0.75, "mrr": 0.5, "median_rank": 4.0}}
    (tmp_path / "metrics/evaluate").mkdir(parents=True)
    for variant in ("All", "Im"):
        (tmp_path / f"metrics/evaluate/{variant}.json").write_text(json.dumps(metrics))
    print_results(tmp_path, ["All", "Im"], load_params(ROOT / "params.yaml"))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    names = ["Im", "Ta", "Plo", "ImTa", "ImPlo", "TaPlo", "All"]
    assert [row[0] for row in rows if row[0] in names] == names, "and not the variant that the paper lacks"
    figures = ["0.250", "0.200–0.300", "0.125", "0.100–0.200", "9.5", "5–12", "0.750", "0.500", "4"]
    assert next(row for row in rows if row[0] == "All") == ["All", *figures]
    assert next(row for row in rows if row[0] == "Ta")[1:] == ["no", "checkpoint"]
    assert next(row for row in rows if row[0] == "chance")[1:] == ["0.070", "0.117", "20.7"]
