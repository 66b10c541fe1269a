"""`sync-mlflow --rev`: an experiment's model is logged without changing the workspace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
DVC_YAML = """
stages:
  make:
    cmd: >-
      {python} -c "import pathlib; n = pathlib.Path('number').read_text();
      pathlib.Path('models/Im/model.safetensors').write_text('weights ' + n)"
    deps: [number]
    outs: [models/Im/model.safetensors]
"""


@pytest.fixture
def committed(restored):
    """The folder as a repository with a commit, an experiment and a workspace, each with its own model."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str) -> None:
        subprocess.run(command, cwd=restored.root, env=environment, check=True, capture_output=True)

    run("git", "init", "-q", "-b", "main")
    run("git", "config", "user.name", "Test")
    run("git", "config", "user.email", "test@example.org")
    run("dvc", "init", "-q")
    (restored.root / "dvc.lock").unlink()
    (restored.root / "dvc.yaml").write_text(DVC_YAML.format(python=sys.executable))
    (restored.root / "number").write_text("1")
    run("dvc", "repro", "-q")
    restored.evaluate()
    run("git", "add", "-A")
    run("git", "commit", "-qm", "one")
    run("git", "tag", "first")
    (restored.root / "number").write_text("2")
    run("dvc", "exp", "run", "-q", "-n", "hazy-tune")
    run("git", "commit", "-qm", "two", "--allow-empty")
    restored.weights.unlink()
    restored.weights.write_bytes(b"another model")
    return restored


def test_model_of_a_revision_is_logged_and_the_workspace_is_left_alone(committed, command, capsys):
    assert command("sync-mlflow", "--rev", "first") == 0
    assert "Im     logged" in capsys.readouterr().out
    (run,) = committed.runs()
    commit = subprocess.run(
        ["git", "rev-parse", "first"], cwd=committed.root, capture_output=True, text=True, check=True
    )
    assert run.data.tags["git.commit"] == commit.stdout.strip()
    assert run.data.metrics["recall_at_10"] == 0.5
    assert committed.weights.read_bytes() == b"another model"


def test_model_of_an_experiment_is_logged_under_its_name(committed, command, capsys):
    assert command("sync-mlflow", "--rev", "hazy-tune") == 0
    assert "Im     logged         Im · hazy-tune" in capsys.readouterr().out
    (run,) = committed.runs()
    assert run.data.tags["dvc.exp_name"] == "hazy-tune"
    assert "mlflow.runColor" not in run.data.tags
    assert "recall_at_10" not in run.data.metrics, "its figures are of the commit's model"
    (output,) = run.outputs.model_outputs
    (weights,) = (committed.root / "mlartifacts").rglob(f"{output.model_id}/**/model.safetensors")
    assert weights.read_bytes() == b"weights 2"


def test_unknown_revision_is_refused(committed, command, capsys):
    assert command("sync-mlflow", "--rev", "nowhere") == 1
    assert "--rev: 'nowhere' is not a commit, branch, tag or experiment" in capsys.readouterr().err
