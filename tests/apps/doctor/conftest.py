"""A small repository that meets all requirements."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import main

ROOT = Path(__file__).parents[3]
VARIABLES = ("SOUNDTRACK_CONTACT", "MLFLOW_TRACKING_URI", "DVC_ROOT", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The parameters and the embedded corpus under Git and DVC, as the working directory of a clean environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("pipeline.apps.doctor.network._problems", lambda urls, agent: dict.fromkeys(urls, ""))
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    for name in ("params.yaml", "requirements.txt", "requirements-weights.txt"):
        shutil.copy(ROOT / name, folder)
    for name in ("presets", ".dvc"):
        (folder / name).mkdir()
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc")
    (folder / "data/sample").symlink_to(ROOT / "data/sample")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def change(root):
    """Return a function that changes keys of params.yaml, given by section."""

    def write(**sections):
        yaml = YAML()
        params = yaml.load((root / "params.yaml").read_text())
        for section, values in sections.items():
            if isinstance(values, dict):
                params[section] |= values
            else:
                params[section] = values
        with (root / "params.yaml").open("w") as file:
            yaml.dump(params, file)

    return write


@pytest.fixture
def doctor(root, monkeypatch, capsys):
    """Return a function that runs the command and returns its exit status, its lines by name, and its output."""
    monkeypatch.setenv("COLUMNS", "1000")  # one line per check

    def run():
        status = main(["doctor"])
        out = capsys.readouterr().out
        cells = [[cell.strip() for cell in line.split("   ")] for line in out.splitlines()]
        rows = {row[0]: list(filter(None, row[1:])) for row in cells if len(row) > 1 and row[0]}
        return status, rows, out

    return run
