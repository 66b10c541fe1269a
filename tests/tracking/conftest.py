"""A model's folder."""

import json
from pathlib import Path

import pytest


def make_model(root: Path) -> Path:
    """Make the folder of a model with files that nobody can load, which logging must not try."""
    folder = root / "models/Im"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"variant": "Im"}))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder in the repository `tmp_path`."""
    return make_model(tmp_path)
