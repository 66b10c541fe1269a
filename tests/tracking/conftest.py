"""No store but the test's own, and a model's folder."""

import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_outside_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither the environment of the tests nor an earlier test name a store."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder with files that nobody can load, which logging must not try."""
    folder = tmp_path / "models/Im"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"variant": "Im"}))
    return folder
