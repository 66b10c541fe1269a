"""Rows of data/dataset.parquet, by film and by batch."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")


def one_row_a_film(dataset: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each film, in order of first appearance."""
    rows: dict[str, dict[str, Any]] = {}
    for row in dataset:
        rows.setdefault(row["fid"], row)
    return list(rows.values())


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `items` in lists of `size`, the last one with what remains."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}
