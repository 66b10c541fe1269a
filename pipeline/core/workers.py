"""Work in batches, and shared among processes: results in the order of the items, whatever their number.

A process whose parent is gone, killed too, ends at once, so that it does not write into the next run's files.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNKS = 8  # a process, at least, so that none waits long for the slowest
MAX_CHUNK = 32  # items


def map_in_order(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int, max_chunk: int = MAX_CHUNK
) -> Iterator[Result]:
    """Yield `work(item)` of each item; with one process, or one item, in this process.

    A process takes up to `max_chunk` items at a time, 1 where an item is work for seconds. `work` must be importable
    by a new process. Raises `BrokenProcessPool` when a process dies.
    """
    processes = min(processes, len(items))
    if processes <= 1:
        yield from map(work, items)
        return
    chunk = max(1, min(max_chunk, len(items) // (processes * CHUNKS)))
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        yield from pool.map(work, items, chunksize=chunk)
    finally:
        pool.shutdown(cancel_futures=True)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `items` in lists of `size`, the last one with what remains."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _end_with_parent() -> None:
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only called in a process of the pool"
    connection.wait([parent.sentinel])
    os._exit(1)
