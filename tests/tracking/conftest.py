"""A model's folder."""

from pathlib import Path

import pytest

from tests.tracking.small import make_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder in the repository `tmp_path`."""
    return make_model(tmp_path)
