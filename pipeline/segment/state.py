"""The state of earlier runs, per film: unchanged films are skipped and a killed run resumes.

data/segments.parquet    its rows are the source of the numbers; its metadata has a state per film
data/.segments/AAA.json  the journal of a film: its state and rows, until the table is written; or, while the film's
                         files are being replaced, its earlier rows, whose files are not trusted

A journal is valid for the table with the recorded digest: if the table is another one (another version was checked
out), the film is cut again.
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
from pipeline.core.files import remove_strays, sha256_of, whole_file
from pipeline.core.ledger import Ledger
from pipeline.core.tables import SEGMENTS, read_table
from pipeline.segment.section import Segment

VERSION = 3  # increase if the same recordings result in other segments
ENCODING_VERSION = 1  # increase if the same segment results in another file
TABLE = Path("data/segments.parquet")  # relative to the root
JOURNALS = Path("data/.segments")
KEY = b"segment"  # of the table's metadata
RESULT = ("path", "sha256", "video_url", "title", "chapters")  # columns of a download that affect its segments
NO_RESULT = ("min_success_rate",)  # settings that do not affect segments

Row = dict[str, Any]


@dataclass(frozen=True)
class FilmState:
    """The state of a film's segments."""

    digest: str = ""  # of their inputs
    encoding: str = ""  # of their files
    sizes: dict[str, int] = field(default_factory=dict)  # bytes, by path
    rows: list[Row] = field(default_factory=list)
    trusted: bool = False  # whether the files match the rows

    def is_whole(self, root: Path, row: Row) -> bool:
        """Return whether the file of a row is complete."""
        path = root / row["path"]
        return self.trusted and path.is_file() and path.stat().st_size == self.sizes.get(row["path"])

    def holds(self, root: Path, digest: str) -> bool:
        """Return whether a film is up to date: its inputs are unchanged, and no file is missing."""
        if digest != self.digest or any(row["status"] == "missing" for row in self.rows):
            return False
        return all(self.is_whole(root, row) for row in self.rows if row["status"] == "ok")


def digest_of(recordings: Iterable[Row], settings: Segment) -> str:
    """Return a digest of the inputs of a film's segments."""
    known = {key: value for key, value in asdict(settings).items() if key not in NO_RESULT}
    made_from = [VERSION, known, [[row[name] for name in RESULT] for row in recordings]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def encoding_of(settings: Segment) -> str:
    """Return the encoding of files: the same samples with the same encoding are not written again."""
    return f"{ENCODING_VERSION} {settings.format} {settings.sample_rate} {settings.bit_rate}"


def load(root: Path) -> tuple[dict[str, FilmState], str]:
    """Return the states by film, and the digest of the table for journals."""
    base = sha256_of(root / TABLE) if (root / TABLE).is_file() else ""
    states = _of_table(root / TABLE) if base else {}
    ledger = _ledger(root)
    for fid in ledger.names():
        written_for, state = _journal(ledger, fid)
        if state and written_for == base:
            states[fid] = state
        elif fid in states and state != states[fid]:
            states[fid] = replace(states[fid], trusted=False)
            write_journal(root, base, fid, states[fid])
        else:
            ledger.remove(fid)
    return states, base


def write_journal(root: Path, base: str, fid: str, state: FilmState) -> None:
    """Record the state of a film until the table is written."""
    _ledger(root).write(fid, {"base": base, "entry": asdict(state)})


def save(root: Path, states: dict[str, FilmState]) -> None:
    """Write the table of all films, in the order of `states`, and remove the journals."""
    rows = [{name: row[name] for name in SEGMENTS.names} for state in states.values() for row in state.rows]
    known = {
        fid: {"digest": state.digest, "encoding": state.encoding, "sizes": state.sizes} for fid, state in states.items()
    }
    schema = SEGMENTS.with_metadata({KEY: json.dumps(known)})
    remove_strays(root / TABLE)
    with whole_file(root / TABLE) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")
    shutil.rmtree(root / JOURNALS, ignore_errors=True)


def _of_table(path: Path) -> dict[str, FilmState]:
    try:
        rows = read_table(path, SEGMENTS, "segment")
        known = json.loads(pq.read_schema(path).metadata[KEY])
        states = {fid: FilmState(**facts, trusted=True) for fid, facts in known.items()}
        for row in rows:
            states[row["fid"]].rows.append(row)
    except (MissingFileError, KeyError, TypeError, ValueError, OSError):  # from another version: no history
        return {}
    return states


def _ledger(root: Path) -> Ledger:
    return Ledger(root / JOURNALS, ("base", "entry"))


def _journal(ledger: Ledger, fid: str) -> tuple[str, FilmState | None]:
    """Return the digest of a journal's table, and its state; None if it cannot be read."""
    record = ledger.read(fid)
    try:
        return (record["base"], FilmState(**record["entry"])) if record else ("", None)
    except TypeError:
        return "", None
