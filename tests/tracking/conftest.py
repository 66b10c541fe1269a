"""A model's folder."""

from pathlib import Path

import pytest

from tests.tracking.small import make_model


@pytest.fixture
def model(tmp_path: Path, own_store: None) -> Path:
    """A model's folder in the repository `tmp_path`, which has a store without runs."""
    return make_model(tmp_path)
