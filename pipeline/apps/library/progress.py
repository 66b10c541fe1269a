"""Progress of indexing, on the terminal and through a callback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from tqdm import tqdm

Step = Literal["reading", "decoding", "embedding"]
Report = Callable[[Step, str, int, int], None]  # step, label, files done, files in total


def unreported(step: Step, label: str, done: int, total: int) -> None:
    """Report nothing."""


@contextmanager
def progress(report: Report, step: Step, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of further files done; on a terminal, show a bar with `label`."""
    done = 0

    def update(count: int) -> None:
        nonlocal done
        done += count
        bar.update(count)
        report(step, label, done, total)

    report(step, label, 0, total)
    with tqdm(total=total, desc=label, unit="", disable=None) as bar:
        yield update
