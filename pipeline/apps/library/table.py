"""The files of a library: `files.parquet`, one row per file, sorted by path.

`status` is `ok`, the reason why a file has no segments (`walk`, `segments`), or `pending` for a file that a killed run
did not reach. Unknown texts are empty, unknown numbers null.
"""

import logging
import re
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from pipeline.apps.library.tags import named
from pipeline.core.errors import MissingFileError
from pipeline.core.tables import OUTCOME, read_table, write_table

log = logging.getLogger(__name__)

NAME = "files.parquet"
OK, PENDING = "ok", "pending"
FILES = pa.schema(
    [
        ("path", pa.string()),  # relative to the folder, with /
        *OUTCOME,
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),  # since 1970; at most in the year 2262
        ("changed_ns", pa.int64()),  # of content or attributes; tag editors cannot reset it
        ("sha256", pa.string()),  # of the content; empty if unreadable
        ("seconds", pa.float64()),  # decoded
        ("title", pa.string()),
        ("artist", pa.string()),
        ("album", pa.string()),
        ("year", pa.int32()),
        ("segments", pa.int32()),  # in the index
    ]
)

DISC = re.compile(
    r"(cd|dis[ck]|dvd|lp|side|seite)[\s._-]*(\d{1,2}|[a-h]|[ivx]{1,4})(\s*(of|von)\s*\d{1,2})?", re.IGNORECASE
)
FORMAT = re.compile(r"flac|mp3|m4a|aac|alac|ogg|opus|wav|wave|aiff?|wma|audio", re.IGNORECASE)

Row = dict[str, Any]


def row_of(path: str, **known: Any) -> Row:
    """Return a row; values that are not `known` are empty or null."""
    texts = {field.name: "" for field in FILES if field.type == pa.string()}
    return dict.fromkeys(FILES.names) | texts | {"path": path, "segments": 0} | known


def with_facts(row: Row, facts: Row, folder: str) -> Row:
    """Return a row with the facts of its file: status, length, tags, segments.

    Without a title tag, the title is the file's name; without an album tag, the album is its folder (`album_of`).
    """
    tags = facts["tags"]
    return row | {
        "status": facts["status"],
        "reason": facts["reason"],
        "seconds": facts["seconds"],
        "title": tags.get("title") or named(PurePosixPath(row["path"]).stem),
        "artist": tags.get("artist", ""),
        "album": tags.get("album") or named(album_of(row["path"], folder)),
        "year": tags.get("year"),
        "segments": len(facts["segments"]),
    }


def album_of(path: str, folder: str) -> str:
    """Return the album of the file at `path` below the music folder named `folder`; empty if unknown.

    It is the name of the file's folder; for folders of a disc or a format (`CD 1`, `FLAC`) that of the folder above,
    which is `folder` only if it has discs. Files directly in `folder` have no album, since it is the whole library.
    """
    above = PurePosixPath(path).parts[:-1]
    discs = [name for name in above if DISC.fullmatch(name)]
    names = [name for name in above if name not in discs and not FORMAT.fullmatch(name)]
    return names[-1] if names else folder * bool(discs)


def read_files(out: Path) -> list[Row]:
    """Return the rows of the last run; empty if there was none, or the table is damaged."""
    if not (out / NAME).is_file():
        return []
    try:
        return read_table(out / NAME, FILES, "")
    except MissingFileError:
        log.warning("%s cannot be read: all files are read again", out / NAME)
        return []


def write_files(out: Path, rows: list[Row]) -> None:
    """Write `rows`, unless they are unchanged."""
    if rows != read_files(out):
        write_table(out / NAME, rows, FILES)
