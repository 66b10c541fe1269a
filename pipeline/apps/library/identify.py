"""What a file is: its content's SHA-256, read only where its size or one of its times is not as it was."""

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
    """Return the files of `rows` below `folder` with their digests; one that cannot be read is a row that says so.

    Those that are unchanged have the digest of the row `before`.
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
        return row | {"status": "unreadable", "reason": f"it cannot be read ({error.strerror})"}
