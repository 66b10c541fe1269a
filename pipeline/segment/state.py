"""What earlier runs left, film by film: so that what has not changed is left alone and a killed run is resumed.

data/segments.parquet    its rows are the history that numbers are taken from; in its metadata stands a state per film
data/.segments/AAA.json  the state and rows of a film that a run is done with, until its table is written; or, while
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
from pipeline.core.files import remove_strays, sha256_of, whole_file
from pipeline.core.ledger import Ledger
from pipeline.core.tables import SEGMENTS, read_table
from pipeline.segment.section import Segment

VERSION = 3  # raise when the same recordings would give other segments, ...
ENCODING_VERSION = 1  # ... and this when the same segment would give another file
TABLE = Path("data/segments.parquet")  # below the root
JOURNALS = Path("data/.segments")
KEY = b"segment"  # of the table's metadata
RESULT = ("path", "sha256", "video_url", "title", "chapters")  # of a download, what its segments depend on
NO_RESULT = ("min_success_rate",)  # settings that no segment depends on

Row = dict[str, Any]


@dataclass(frozen=True)
class FilmState:
    """What is known of a film's segments."""

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
    """Return a digest of all that a film's segments depend on."""
    known = {key: value for key, value in asdict(settings).items() if key not in NO_RESULT}
    made_from = [VERSION, known, [[row[name] for name in RESULT] for row in recordings]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def encoding_of(settings: Segment) -> str:
    """Return how files are written: the same samples under the same encoding need not be written again."""
    return f"{ENCODING_VERSION} {settings.format} {settings.sample_rate} {settings.bit_rate}"


def load(root: Path) -> tuple[dict[str, FilmState], str]:
    """Return the states by film, and the name of the table that journals are to be written beside."""
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
    """Keep the state of a film until the table is written."""
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
    except (MissingFileError, KeyError, TypeError, ValueError, OSError):  # of another version: no history
        return {}
    return states


def _ledger(root: Path) -> Ledger:
    return Ledger(root / JOURNALS, ("base", "entry"))


def _journal(ledger: Ledger, fid: str) -> tuple[str, FilmState | None]:
    """Return the digest of the table that a journal was written for, and its state; None when it cannot be read."""
    record = ledger.read(fid)
    try:
        return (record["base"], FilmState(**record["entry"])) if record else ("", None)
    except TypeError:
        return "", None
