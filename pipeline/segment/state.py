"""What earlier runs left, film by film: so that what has not changed is left alone and a killed run is resumed.

data/segments.parquet    its rows are the history that numbers are taken from; in its metadata stands an entry a film
data/.segments/AAA.json  the entry and rows of a film that a run is done with, until its table is written; or, while
                         the film's files are being replaced, its earlier rows, whose files are not to be trusted

A journal holds for the table beside which it was written, which it names by its digest: when the two no longer belong
together (another version was checked out), the film is cut anew.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import MissingFileError
from pipeline.core.files import remove_strays, sha256_of, whole_file, write_json
from pipeline.core.tables import SEGMENTS, read_table
from pipeline.segment.section import Segment

VERSION = 1  # raise when the same recordings would give other pieces
TABLE = Path("data/segments.parquet")  # below the root
JOURNALS = Path("data/.segments")
KEY = b"segment"  # of the table's metadata
RESULT = ("path", "sha256", "video_url", "title", "chapters")  # of a download, what its pieces depend on
NO_RESULT = ("min_success_rate",)  # settings that no piece depends on

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What is known of a film's pieces."""

    digest: str = ""  # of all that they were made from
    encoding: str = ""  # how their files were written
    sizes: dict[str, int] = field(default_factory=dict)  # bytes, by path
    rows: list[Row] = field(default_factory=list)
    trusted: bool = False  # the files are those of the rows

    def is_whole(self, root: Path, row: Row) -> bool:
        """Return whether the file of a row is there."""
        path = root / row["path"]
        return self.trusted and path.is_file() and path.stat().st_size == self.sizes.get(row["path"])

    def holds(self, root: Path, digest: str) -> bool:
        """Return whether a film needs no work: nothing it was made from has changed, and no file is missing."""
        if digest != self.digest or any(row["status"] == "missing" for row in self.rows):
            return False
        return all(self.is_whole(root, row) for row in self.rows if row["status"] == "ok")


def digest_of(recordings: Iterable[Row], settings: Segment) -> str:
    """Return a digest of all that a film's pieces depend on."""
    known = {key: value for key, value in asdict(settings).items() if key not in NO_RESULT}
    made_from = [VERSION, known, [[row[name] for name in RESULT] for row in recordings]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def encoding_of(settings: Segment) -> str:
    """Return how files are written: the same samples under the same encoding need not be written again."""
    return f"{VERSION} {settings.format} {settings.sample_rate} {settings.bit_rate}"


def load(root: Path) -> tuple[dict[str, Entry], str]:
    """Return the entries by film, and the name of the table that journals are to be written beside."""
    base = sha256_of(root / TABLE) if (root / TABLE).is_file() else ""
    entries = _of_table(root / TABLE) if base else {}
    for path in sorted((root / JOURNALS).glob("[!.]*.json")):
        fid, journal = path.stem, _journal(path)
        if journal and journal["base"] == base:
            entries[fid] = Entry(**journal["entry"])
        elif journal and Entry(**journal["entry"]) == entries.get(fid):
            path.unlink()
        elif fid in entries:
            entries[fid] = replace(entries[fid], trusted=False)
            write_journal(root, base, fid, entries[fid])
        else:
            path.unlink()
    return entries, base


def write_journal(root: Path, base: str, fid: str, entry: Entry) -> None:
    """Keep the entry of a film until the table is written."""
    write_json(root / JOURNALS / f"{fid}.json", {"base": base, "entry": asdict(entry)})


def save(root: Path, entries: dict[str, Entry]) -> None:
    """Write the table of all films, in the order of `entries`, and remove the journals."""
    rows = [{name: row[name] for name in SEGMENTS.names} for entry in entries.values() for row in entry.rows]
    known = {
        fid: {"digest": entry.digest, "encoding": entry.encoding, "sizes": entry.sizes}
        for fid, entry in entries.items()
    }
    schema = SEGMENTS.with_metadata({KEY: json.dumps(known)})
    remove_strays(root / TABLE)
    with whole_file(root / TABLE) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")
    shutil.rmtree(root / JOURNALS, ignore_errors=True)


def _of_table(path: Path) -> dict[str, Entry]:
    try:
        rows = read_table(path, SEGMENTS, "segment")
        known = json.loads(pq.read_schema(path).metadata[KEY])
        entries = {fid: Entry(**facts, trusted=True) for fid, facts in known.items()}
        for row in rows:
            entries[row["fid"]].rows.append(row)
    except (MissingFileError, KeyError, TypeError, ValueError, OSError):  # of another version: no history
        return {}
    return entries


def _journal(path: Path) -> dict[str, Any] | None:
    try:
        journal = json.loads(path.read_text(encoding="utf-8"))
        return journal if isinstance(journal["base"], str) and Entry(**journal["entry"]) else None
    except (ValueError, KeyError, TypeError):
        return None
