"""No network."""

import pytest


@pytest.fixture(autouse=True)
def no_network(without_network: None) -> None:
    """Let every connection and look-up of a name fail the test."""
