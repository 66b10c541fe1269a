"""Work done in threads ahead of its use: results in order, and few of them in memory.

It is for work that leaves other threads running: reading files, Pillow, NumPy and tokenizers do.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

DEPTH = 2  # items per thread that are begun, or done, before they are asked for


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `work(item)` of each of `items`, in order, of which `threads` do the next ones meanwhile.

    `items` are drawn in the calling thread. What `work` raises comes out in its place; whoever stops early waits for
    what is begun, no more.
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
    """Yield what `source` yields, which a thread of its own draws from it, `DEPTH` items ahead at most."""
    iterator = iter(source)
    for found in ahead(lambda _: list(islice(iterator, 1)), count(), 1):
        if not found:
            return
        yield found[0]
