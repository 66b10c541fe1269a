"""List the audio files below a music folder, by suffix. No file is opened.

Hidden files and folders are skipped, and links to folders are not followed. A file that cannot be read is a row with a
status: `outside` (a link out of the folder), `unreadable`, `no_file` (a pipe or device) or `not_utf8` (its name cannot
be stored in a table).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.apps.library.table import Row, row_of
from pipeline.media.audio import SUFFIXES

AUDIO = frozenset(SUFFIXES.values()) | {  # and further suffixes of these containers
    ".3g2",
    ".3gp",
    ".adts",
    ".aif",
    ".aifc",
    ".asf",
    ".m2ts",
    ".m4b",
    ".m4r",
    ".m4v",
    ".mka",
    ".mkv",
    ".mov",
    ".mp+",
    ".mp2",
    ".mp4",
    ".mpeg",
    ".mpga",
    ".mpp",
    ".mts",
    ".oga",
    ".ogv",
    ".opus",
    ".ra",
    ".snd",
    ".wave",
    ".wmv",
}


NS_LIMIT = 2**63 - 1  # latest time in a table, in the year 2262


def is_audio(name: str) -> bool:
    """Return whether a file of this name is treated as audio."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO


def walk(folder: Path, skip: Path) -> list[Row]:
    """Return one row per file below the resolved `folder`, sorted by path, except for those below `skip`.

    The row of a readable file has its `stamp` and no status yet. An unreadable folder is also a row.
    """
    rows = list(_walked(str(folder), str(skip)))
    return sorted(rows, key=lambda row: row["path"])


def stamp(found: os.stat_result) -> dict[str, Any]:
    """Return the size and times that identify an unchanged file, as columns of a row."""
    times = {"modified_ns": found.st_mtime_ns, "changed_ns": found.st_ctime_ns}
    return {"bytes": found.st_size} | {name: max(-NS_LIMIT, min(time, NS_LIMIT)) for name, time in times.items()}


def _walked(folder: str, skip: str) -> Iterator[Row]:
    trouble: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=trouble.append, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".") and os.path.join(parent, name) != skip]
        for name in folders:
            path = os.path.join(parent, name)
            if os.path.islink(path) and not _is_inside(path, folder):
                yield _row(folder, path, "outside", "link to a folder elsewhere, not followed")
        for name in filter(is_audio, names):
            yield _file(folder, os.path.join(parent, name))
    for error in trouble:
        yield _row(folder, error.filename, "unreadable", f"the folder cannot be read ({error.strerror})")


def _file(folder: str, path: str) -> Row:
    try:
        if os.path.islink(path) and not _is_inside(path, folder):
            return _row(folder, path, "outside", "link to a file elsewhere, not followed")
        found = os.stat(path)
    except OSError as error:
        return _row(folder, path, "unreadable", f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(found.st_mode):
        return _row(folder, path, "no_file", "not a regular file")
    return _row(folder, path) | stamp(found)


def _is_inside(path: str, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _row(folder: str, path: str, status: str = "", reason: str = "") -> Row:
    below = os.path.relpath(path, folder)
    try:
        below.encode()
    except UnicodeEncodeError:
        below = os.fsencode(below).decode("utf-8", "backslashreplace")
        status, reason = "not_utf8", "the name is not UTF-8: rename the file"
    return row_of(below, status=status, reason=reason)
