"""What the tables have in common: rows of data/dataset.parquet by film, digests, versions."""

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


def digest_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}
