"""No network."""

import pytest


@pytest.fixture(autouse=True)
def no_network(without_network: None) -> None:
    """Fail the test on any connection or name look-up."""
