"""A model's folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.small import make_model


@pytest.fixture
def model(tmp_path: Path, empty_store: Callable[[Path], Path]) -> Path:
    """A model's folder in the repository `tmp_path`, which has a store without runs."""
    empty_store(tmp_path)
    return make_model(tmp_path)
