"""The small world of tests/evaluate/small_world.py."""

from pathlib import Path

import pytest

from tests.evaluate.small_world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A root folder with a data set, features and an untrained model."""
    return make_world(tmp_path)
