"""How far the indexing of a library has come: on the terminal, and for whoever else wants to know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from tqdm import tqdm

Step = Literal["reading", "decoding", "embedding"]
Report = Callable[[Step, str, int, int], None]  # takes step, label, and how many files are done of how many


def unreported(step: Step, label: str, done: int, total: int) -> None:
    """Report nothing."""


@contextmanager
def progress(report: Report, step: Step, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield the function to call with how many more files are done; a terminal shows `label` with a bar."""
    done = 0

    def update(count: int) -> None:
        nonlocal done
        done += count
        bar.update(count)
        report(step, label, done, total)

    report(step, label, 0, total)
    with tqdm(total=total, desc=label, unit="", disable=None) as bar:
        yield update
