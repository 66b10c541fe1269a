"""Overview of a library's files: sizes, formats, skipped files with reasons, duplicates."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pipeline.apps.library.duplicates import read_duplicates
from pipeline.apps.library.table import OK, PENDING, read_files
from pipeline.apps.recommend.formats import FORMULA, plain

SHOWN = 200  # entries of a list, except in exports

List = Literal["all", "skipped", "duplicates"]
COLUMNS: dict[List, tuple[str, ...]] = {
    "all": ("path", "status", "reason", "seconds", "bytes", "title", "artist", "album", "year", "segments"),
    "skipped": ("path", "status", "reason", "bytes"),
    "duplicates": ("group", "same", "path", "seconds", "bytes"),
}


def overview_of(place: Path) -> dict[str, Any]:
    """Return the overview of the library at `place`, empty if it was never indexed.

    Lists have at most `SHOWN` entries.
    """
    rows = read_files(place)
    usable = [row for row in rows if row["status"] == OK]
    skipped = [row for row in rows if row["status"] not in (OK, PENDING)]
    statuses = Counter(row["status"] for row in skipped)
    duplicates = read_duplicates(place)
    return {
        "files": len(rows),
        "tracks": len(usable),
        "segments": sum(row["segments"] for row in usable),
        "hours": hours(sum(row["seconds"] or 0.0 for row in usable)),
        "bytes": sum(row["bytes"] or 0 for row in usable),
        "films": len({row["album"] for row in usable if row["album"]}),
        "formats": formats_of([row["path"] for row in usable]),
        "skipped": len(skipped),
        "statuses": [{"status": status, "files": count} for status, count in statuses.most_common()],
        "skipped_files": [{name: row[name] for name in ("path", "status", "reason")} for row in skipped[:SHOWN]],
        "repeats": duplicates.repeats,
        "duplicates": [{"same": group.same, "files": group.files} for group in duplicates.groups[:SHOWN]],
    }


def formats_of(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the number of files at `paths` by format (suffix), most frequent first."""
    counts = Counter(PurePosixPath(path).suffix.lower().removeprefix(".") for path in paths)
    return [{"format": name, "files": count} for name, count in counts.most_common()]


def hours(seconds: float) -> float:
    """Return seconds as hours with two decimals."""
    return round(seconds / 3600, 2)


def files_csv(place: Path, which: List) -> str:
    """Return a list of files of the library at `place` as CSV, one row per file."""
    rows = read_files(place)
    if which == "skipped":
        rows = [row for row in rows if row["status"] not in (OK, PENDING)]
    if which == "duplicates":
        known = {row["path"]: row for row in rows}
        rows = [
            known.get(path, {"path": path, "seconds": None, "bytes": None}) | {"group": number, "same": group.same}
            for number, group in enumerate(read_duplicates(place).groups, start=1)
            for path in group.files
        ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS[which])
    writer.writerows([_cell(row[name]) for name in COLUMNS[which]] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value for a spreadsheet; texts that look like formulas are escaped."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(FORMULA) else text
