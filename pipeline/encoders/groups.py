"""Groups of items through an encoder: batches prepared in threads while the device computes, also across groups.

A group is what a caller keeps together: how a group is cut into batches depends on nothing but the group, so that its
vectors do not either.
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

_ALL_THREADS = threading.Lock()  # of the CPU, whose number PyTorch has for the whole process


class Batch(NamedTuple):
    """Some items of a group that go through the encoder together."""

    rows: list[int]  # of the group
    prepare: Callable[[], Inputs]  # what the model reads of them; called in a thread


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
    """Yield the vectors [items, width], float32, of each of `groups`, in order; none of them may be empty.

    Groups are drawn ahead, so as many batches are in memory as `pipeline.core` says. On a GPU a thread draws and plans
    them and another one launches what is computed, whatever the caller does with the vectors meanwhile.
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
    """Yield what `encode_groups` does on a CPU: the threads that PyTorch may use each take a batch of their own.

    That is faster than to share each, and convolutions give the same bits whatever the number of threads.
    """
    for group in groups:
        vectors = np.empty((len(group), width), np.float32)
        with _ALL_THREADS:
            threads = torch.get_num_threads()

            def encode(batch: Batch, vectors: np.ndarray = vectors) -> None:
                vectors[batch.rows] = compute(batch.prepare()).numpy()

            with cpu_threads(1):
                for _ in ahead(encode, plan(group), threads):
                    pass  # what one of them raises comes out here
        yield vectors
