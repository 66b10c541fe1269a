"""TF32 products only in trainings that allow it; settings of the process are restored."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from pipeline.train.numerics import WORKSPACE, full_float32, numerics
from tests.train.recipe import TRAIN

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def settings() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True, params=[("highest", True), ("medium", False)], ids=str)
def before(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """The settings of the process."""
    found = settings()
    torch.set_float32_matmul_precision(request.param[0])
    torch.backends.cudnn.allow_tf32 = request.param[1]
    yield request.param
    torch.set_float32_matmul_precision(found[0])
    torch.backends.cudnn.allow_tf32 = found[1]


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("float32", ("highest", False)), ("auto", ("high", True)), ("bfloat16", ("high", True))],
)
def test_float32_is_not_tf32(precision, expected, before):
    params = replace(TRAIN, precision=precision)
    with numerics(params, CUDA):
        assert settings() == expected
    assert settings() == before
    with numerics(params, CPU):
        assert settings() == before


@pytest.mark.parametrize("workspace", [None, ":16:8"])
def test_deterministic_algorithms_for_the_training_alone(monkeypatch, workspace):
    monkeypatch.delenv(WORKSPACE, raising=False)
    if workspace:
        monkeypatch.setenv(WORKSPACE, workspace)
    with numerics(TRAIN, CPU):
        assert not torch.are_deterministic_algorithms_enabled()
        assert os.environ.get(WORKSPACE) == workspace
    with pytest.raises(ValueError, match="wrong"), numerics(replace(TRAIN, deterministic=True), CPU):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ[WORKSPACE] == (workspace or ":4096:8")
        raise ValueError("wrong")
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ.get(WORKSPACE) == workspace


def test_settings_are_restored_after_an_error(before):
    with pytest.raises(ValueError, match="wrong"), numerics(TRAIN, CUDA), full_float32(CPU):
        raise ValueError("wrong")
    assert settings() == before


def test_full_float32_inside_autocast(before):
    rows = torch.randn(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert (rows @ rows).dtype == torch.bfloat16
        with full_float32(CPU):
            assert (rows @ rows).dtype == torch.float32
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == before[0]
        assert (rows @ rows).dtype == torch.bfloat16
