"""Numerical settings of a training run: TF32 or full float32 products on a GPU, and deterministic algorithms.

PyTorch keeps these settings per process; the contexts here restore them at the end. CPUs have no TF32.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from pipeline.train.section import Train

WORKSPACE, FIXED_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"  # required for deterministic cuBLAS


@contextmanager
def numerics(params: Train, device: torch.device) -> Iterator[None]:
    """Apply the numerical settings of `params` on `device`; `precision: float32` disables TF32, others allow it.

    With `deterministic`, an operation without a deterministic algorithm raises `RuntimeError`. Enter the context before
    the first product on a GPU, as cuBLAS reads the environment once.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        tf32 = params.precision != "float32"
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
    try:
        with _deterministic() if params.deterministic else nullcontext():
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Compute products on `device` in full float32, without autocast and TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), os.environ.get(WORKSPACE)
    os.environ.setdefault(WORKSPACE, FIXED_WORKSPACE)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        if before[1] is None:
            del os.environ[WORKSPACE]
