"""What the tables have in common: rows of data/dataset.parquet by film, digests, windows of a fixed grid."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any


def one_row_a_film(dataset: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each film, in order of first appearance."""
    rows: dict[str, dict[str, Any]] = {}
    for row in dataset:
        rows.setdefault(row["fid"], row)
    return list(rows.values())


def window_starts(length: int, window: int, hop: int) -> list[int]:
    """Return where the windows of a recording of `length` begin: every `hop`, the last one ending with it."""
    last = max(length - window, 0)
    return sorted({*range(0, last + 1, hop), last})


def digest_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}
