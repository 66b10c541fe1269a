"""Items in lists of one size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `items` in lists of `size`, the last one with what remains."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
