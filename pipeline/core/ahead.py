"""Work done ahead in threads: results in order, few of them in memory.

For work that releases the GIL, such as file reads, Pillow, NumPy and tokenizers.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

DEPTH = 2  # items per thread that are running or done before they are requested


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `work(item)` for each of `items`, in order; `threads` threads work on the next ones meanwhile.

    `items` are drawn in the calling thread. An exception in `work` is raised in its place; after an early stop, only
    running work is awaited.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > DEPTH * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def drawn_ahead(source: Iterable[Item]) -> Iterator[Item]:
    """Yield the items of `source`, drawn in a separate thread at most `DEPTH` items ahead."""
    iterator = iter(source)
    for found in ahead(lambda _: list(islice(iterator, 1)), count(), 1):
        if not found:
            return
        yield found[0]
