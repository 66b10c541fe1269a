"""What all tests share: one thread, so that sums are taken in one order, and small parameters."""

from pathlib import Path

import pytest
import torch

from pipeline.params import Params, load_params

torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters of the repository."""
    return load_params(ROOT / "params.yaml")
