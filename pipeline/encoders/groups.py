"""Encoding of groups of items: threads prepare batches while the device computes, also across groups.

How a group is divided into batches depends only on the group, and therefore so do its vectors.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from pipeline.core.ahead import ahead, drawn_ahead
from pipeline.core.machine import cpu_threads
from pipeline.core.on_device import Inputs, computed, overlaps, pinned, preparers

Item = TypeVar("Item")

_ALL_THREADS = threading.Lock()  # PyTorch's number of threads is global to the process


class Batch(NamedTuple):
    """Items of a group that are encoded together."""

    rows: list[int]  # of the group
    prepare: Callable[[], Inputs]  # returns the model's inputs; called in a thread


class _Place(NamedTuple):
    vectors: np.ndarray  # of the whole group
    rows: list[int]
    last: bool  # batch of its group


def encode_groups(
    groups: Iterable[Sequence[Item]],
    plan: Callable[[Sequence[Item]], Iterable[Batch]],
    compute: Callable[[Inputs], Tensor],
    width: int,
    device: torch.device,
) -> Iterator[np.ndarray]:
    """Yield the vectors [items, width], float32, of each of `groups`, in order; none may be empty.

    Groups are read ahead; `pipeline.core` limits the batches in memory. On a GPU one thread reads and plans groups and
    another launches the computation, independently of the caller.
    """

    def planned() -> Iterator[tuple[_Place, Batch]]:
        for group in groups:
            vectors, batches = np.empty((len(group), width), np.float32), list(plan(group))
            for batch in batches:
                yield _Place(vectors, batch.rows, batch is batches[-1]), batch

    def prepared(planned: tuple[_Place, Batch]) -> tuple[_Place, Inputs]:
        place, batch = planned
        return place, pinned(batch.prepare(), device)

    def encoded() -> Iterator[np.ndarray]:
        drawn = drawn_ahead(planned()) if overlaps(device) else planned()
        for place, found in computed(ahead(prepared, drawn, preparers(device)), compute, device):
            place.vectors[place.rows] = found
            if place.last:
                yield place.vectors

    return drawn_ahead(encoded()) if overlaps(device) else encoded()


def encode_in_threads(
    groups: Iterable[Sequence[Item]],
    plan: Callable[[Sequence[Item]], Iterable[Batch]],
    compute: Callable[[Inputs], Tensor],
    width: int,
) -> Iterator[np.ndarray]:
    """Yield the vectors of `encode_groups` on a CPU, with one batch per thread of PyTorch.

    This is faster than several threads per batch, and makes convolutions independent of the number of threads.
    """
    for group in groups:
        vectors = np.empty((len(group), width), np.float32)
        with _ALL_THREADS:
            threads = torch.get_num_threads()

            def encode(batch: Batch, vectors: np.ndarray = vectors) -> None:
                vectors[batch.rows] = compute(batch.prepare()).numpy()

            with cpu_threads(1):
                for _ in ahead(encode, plan(group), threads):
                    pass  # exceptions of the threads are raised here
        yield vectors
