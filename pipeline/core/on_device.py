"""Computation of batches on a device: copied, computed and fetched, in order.

On a GPU these steps overlap. A batch is copied from page-locked memory on a separate stream while the one before is
computed, and its result is fetched after the next one has been launched: the device never waits for Python.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

Key = TypeVar("Key")
Inputs = Any  # a tensor, or a mapping of name to inputs
Fetch = Callable[[], np.ndarray]

LATE = 1  # later batches that are launched before a result is fetched
PREPARERS = 8  # threads that prepare batches for a GPU; one for a CPU, whose other cores compute


def overlaps(device: torch.device) -> bool:
    """Return whether `device` computes asynchronously, and reading and launching should use separate threads."""
    return device.type == "cuda"


def preparers(device: torch.device) -> int:
    """Return the number of threads that prepare batches for `device`."""
    return min(PREPARERS, os.cpu_count() or 1) if overlaps(device) else 1


def pinned(inputs: Inputs, device: torch.device) -> Inputs:
    """Return inputs in page-locked memory if `device` is a GPU, for asynchronous copies."""
    return mapped(Tensor.pin_memory, inputs) if device.type == "cuda" else inputs


def mapped(change: Callable[[Tensor], Tensor], inputs: Inputs) -> Inputs:
    """Return `inputs` with `change` applied to each tensor."""
    if isinstance(inputs, Mapping):
        return {name: mapped(change, value) for name, value in inputs.items()}
    return change(inputs)


def computed(
    batches: Iterable[tuple[Key, Inputs]], compute: Callable[[Inputs], Tensor], device: torch.device
) -> Iterator[tuple[Key, np.ndarray]]:
    """Yield the key of each of `batches` and `compute(inputs)` on `device`, in order.

    `compute` runs in the calling thread, `LATE` batches ahead.
    """
    launch = _Cuda(device) if device.type == "cuda" else _launch
    waiting: deque[tuple[Key, Fetch]] = deque()
    for key, inputs in batches:
        waiting.append((key, launch(compute, inputs)))
        if len(waiting) > LATE:
            yield _first(waiting)
    while waiting:
        yield _first(waiting)


def _first(waiting: deque[tuple[Key, Fetch]]) -> tuple[Key, np.ndarray]:
    key, fetch = waiting.popleft()
    return key, fetch()


def _launch(compute: Callable[[Inputs], Tensor], inputs: Inputs) -> Fetch:
    return compute(inputs).numpy


class _Cuda:
    """Launches batches on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.copies = device, torch.cuda.Stream(device)

    def __call__(self, compute: Callable[[Inputs], Tensor], inputs: Inputs) -> Fetch:
        present = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.copies):
            moved = mapped(lambda tensor: tensor.to(self.device, non_blocking=True), inputs)
        present.wait_stream(self.copies)
        mapped(lambda tensor: _used_on(tensor, present), moved)
        found = compute(moved)
        fetched = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
        fetched.copy_(found, non_blocking=True)  # before the next launch, or it would wait for that batch
        done = present.record_event()

        def fetch() -> np.ndarray:
            done.synchronize()
            return fetched.numpy()

        return fetch


def _used_on(tensor: Tensor, stream: torch.cuda.Stream) -> Tensor:
    tensor.record_stream(stream)  # else its memory could be reused by the next copy too early
    return tensor
