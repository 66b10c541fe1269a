"""How a training computes: products on a GPU in TF32 or in full float32, and by algorithms that repeat bit for bit.

PyTorch keeps these settings for the whole process; each context here restores what it finds. A CPU knows no TF32.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from pipeline.train.section import Train

WORKSPACE, FIXED_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"  # without which cuBLAS does not repeat its results


@contextmanager
def numerics(params: Train, device: torch.device) -> Iterator[None]:
    """Compute as `params` set on `device`: `precision: float32` is float32 indeed, the others allow TF32 beside it.

    With `deterministic` an operation that has no algorithm that repeats raises `RuntimeError`. Nothing may have been
    multiplied on a GPU before, since cuBLAS reads the environment once.
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
    """Compute products on `device` in float32 whatever is set around: no autocast, no TF32."""
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
