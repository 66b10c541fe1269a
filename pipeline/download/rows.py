"""The rows of `data/downloads.parquet`, one JSON file each beside its recording: a killed run resumes.

data/downloads/AAA/000.webm      the recording: number = position in the film's `soundtrack`
data/downloads/AAA/000-01.webm   one of a playlist or search, by its position there
data/downloads/AAA/000.json      its row, with `needs`, the requirements of a retry
data/downloads/AAA/.part-…       a transfer in progress
"""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.ledger import Ledger
from pipeline.core.tables import DOWNLOADS
from pipeline.corpus import FID, Film
from pipeline.download.breaker import kind_of
from pipeline.download.failures import AGAIN_NEXT_RUN, COOKIES, LIVE, MAX_RUNS, RUNS
from pipeline.download.lock import Entry
from pipeline.download.section import Download

FOLDER = Path("data/downloads")  # relative to the root
PART = ".part-"

Row = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One item of a film's soundtrack, or one recording of its list; `{origin}` is not replaced."""

    fid: str
    number: int
    url: str  # as in meta.json
    entry: int | None
    address: str  # to request: for an item, its URL
    title: str  # in the list; else ""

    @property
    def name(self) -> str:
        """The name of its row, and of its files without their suffix: AAA/000, AAA/000-01."""
        return f"{self.fid}/{self.number:03d}" + ("" if self.entry is None else f"-{self.entry:02d}")

    @property
    def stem(self) -> Path:
        """The path of its files, relative to the root and without suffix."""
        return FOLDER / self.name

    def part(self, version: str) -> Path:
        """Return the path of the transfer, relative to the root; a changed file has another: it must not resume."""
        digest = hashlib.sha256(f"{self.address}\n{version}".encode()).hexdigest()
        return self.stem.with_name(f"{PART}{self.stem.name}-{digest[:16]}")

    def of(self, entries: Iterable[Entry]) -> list["Request"]:
        """Return the requests for the recordings of the item's list."""
        numbered = enumerate(entries)
        return [replace(self, entry=index, address=entry.url, title=entry.title) for index, entry in numbered]

    def row(self, **known: Any) -> Row:
        """Return its row of the table with `needs`; columns not in `known` are empty or null."""
        address = "" if self.entry is None else self.address
        row = dict.fromkeys(DOWNLOADS.names) | {"status": "", "reason": "", "path": "", "sha256": "", "chapters": []}
        row |= {"fid": self.fid, "number": self.number, "entry": self.entry, "url": self.url}
        return row | {"video_url": address, "title": self.title, "needs": None} | known


def requests_of(films: Iterable[Film]) -> list[Request]:
    """Return one request per item, by film and position."""
    return [
        Request(film.fid, number, url, entry=None, address=url, title="")
        for film in films
        for number, url in enumerate(film.soundtrack)
    ]


def order_of(request: Request) -> tuple[str, int, int]:
    """Return the sort key of its row in the table."""
    return request.fid, request.number, -1 if request.entry is None else request.entry


def save_row(root: Path, request: Request, row: Row) -> None:
    """Write the row beside its recording."""
    _ledger(root).write(request.name, row)


def earlier_row(root: Path, request: Request) -> Row | None:
    """Return the row of an earlier run for the same URL; None if there is none."""
    inputs = {"url": request.url} if request.entry is None else {"url": request.url, "video_url": request.address}
    return _ledger(root).read(request.name, **inputs)


def was_met(root: Path, request: Request, row: Row) -> bool:
    """Return whether an earlier run had the failure in `row`."""
    earlier = earlier_row(root, request)
    return earlier is not None and row["status"] != "ok" and kind_of(earlier["reason"]) == kind_of(row["reason"])


def counted(root: Path, request: Request, row: Row) -> Row:
    """Return the row of an unknown failure with the number of runs that had one; given up after `MAX_RUNS`."""
    earlier = earlier_row(root, request)
    met = (earlier["needs"] or {}).get(RUNS, 0.0) if earlier is not None and earlier["status"] == "transient" else 0.0
    if met + 1 < MAX_RUNS:
        return row | {"needs": {RUNS: met + 1}}
    return row | {"status": "given_up", "reason": f"{row['reason']} (in {MAX_RUNS} runs)"}


def is_settled(root: Path, row: Row, settings: Download) -> bool:
    """Return whether an earlier row is still valid and its URL need not be requested again.

    It is not if the file is missing or of another size, if the failure was temporary or is retried by `download.retry`,
    or if the parameters now allow what they did not, or no longer allow what they did.
    """
    if row["status"] in (*AGAIN_NEXT_RUN, settings.retry):
        return False
    if row["status"] == "ok":
        path = root / row["path"]
        whole = path.is_file() and path.stat().st_size == row["bytes"]
        return whole and row["bytes"] <= settings.max_bytes and row["decoded_seconds"] <= settings.max_seconds
    return row["needs"] is None or not all(_has(key, least, settings) for key, least in row["needs"].items())


def remove_others(root: Path, rows: Iterable[Row]) -> None:
    """Remove files without a row: of films and URLs that left the corpus, and of transfers that do not resume."""
    kept: dict[str, set[str]] = {}
    begun: dict[str, tuple[str, ...]] = {}
    for row in rows:
        names = kept.setdefault(row["fid"], set())
        begun.setdefault(row["fid"], ())
        stem = Request(row["fid"], row["number"], row["url"], row["entry"], "", "").stem.name
        names.add(f"{stem}.json")
        if row["path"]:
            names.add(Path(row["path"]).name)
        if row["status"] in AGAIN_NEXT_RUN:
            begun[row["fid"]] += (f"{PART}{stem}-", f"{stem}-" if row["entry"] is None else f"{PART}{stem}-")
    folders = (root / FOLDER).iterdir() if (root / FOLDER).is_dir() else ()
    for folder in [folder for folder in folders if FID.fullmatch(folder.name)]:
        if folder.name not in kept:
            shutil.rmtree(folder)
            continue
        for file in list(folder.iterdir()):
            if file.name not in kept[folder.name] and not file.name.startswith(begun[folder.name]):
                file.unlink()


def _ledger(root: Path) -> Ledger:
    return Ledger(root / FOLDER, (*DOWNLOADS.names, "needs"))


def _has(key: str, least: float, settings: Download) -> bool:
    if key in LIVE:
        return True
    return settings.cookies is not None if key in COOKIES else getattr(settings, key) >= least
