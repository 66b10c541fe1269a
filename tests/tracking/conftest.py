"""A model's folder."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder with files that nobody can load, which logging must not try."""
    folder = tmp_path / "models/Im"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"variant": "Im"}))
    return folder
