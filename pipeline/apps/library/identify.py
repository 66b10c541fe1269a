"""Identify files by the SHA-256 of their content, read only if the size or a time has changed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pipeline.apps.library.progress import Report, progress
from pipeline.apps.library.table import Row
from pipeline.core.files import sha256_of

AS_IT_WAS = ("bytes", "modified_ns", "changed_ns")


def is_unchanged(row: Row, before: Mapping[str, Row]) -> bool:
    """Return whether a file was there `before`, by path, with the same size and times."""
    known = before.get(row["path"])
    return known is not None and all(row[name] == known[name] for name in AS_IT_WAS)


def identified(folder: Path, rows: Sequence[Row], before: Mapping[str, Row], threads: int, report: Report) -> list[Row]:
    """Return `rows` with the digests of their files below `folder`; an unreadable file gets a status and a reason.

    Unchanged files get the digest of their row in `before`.
    """
    unread = [row for row in rows if not row["status"] and not (is_unchanged(row, before) and _digest(row, before))]
    found: dict[str, Row] = {}
    with ThreadPoolExecutor(threads) as pool, progress(report, "reading", "files read", len(unread)) as update:
        for row in pool.map(partial(_read, folder), unread):
            found[row["path"]] = row
            update(1)
    return [row if row["status"] else found.get(row["path"]) or row | {"sha256": _digest(row, before)} for row in rows]


def _digest(row: Row, before: Mapping[str, Row]) -> str:
    return before[row["path"]]["sha256"]


def _read(folder: Path, row: Row) -> Row:
    try:
        return row | {"sha256": sha256_of(folder / row["path"])}
    except OSError as error:
        return row | {"status": "unreadable", "reason": f"cannot be read ({error.strerror})"}
