"""The rows of `data/downloads.parquet`, one JSON file each beside its recording, so that a killed run is resumed.

data/downloads/AAA/000.webm   the recording: number = position in the film's `soundtrack`
data/downloads/AAA/000.json   its row, and under `limit` the bytes or seconds that it exceeded
data/downloads/AAA/.part-…    a transfer in progress, named after its URL
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpus import FID, Film
from pipeline.download.failures import AGAIN_NEXT_RUN
from pipeline.files import write_json
from pipeline.sections import Download
from pipeline.tables import DOWNLOADS

FOLDER = Path("data/downloads")  # below the root
PART = ".part-"


@dataclass(frozen=True)
class Request:
    """One URL of a film; `{origin}` is not replaced."""

    fid: str
    number: int
    url: str

    @property
    def stem(self) -> Path:
        """The path, below the root, of its files without their suffix."""
        return FOLDER / self.fid / f"{self.number:03d}"

    @property
    def part(self) -> Path:
        """The path, below the root, of the transfer: another URL never goes on with its bytes."""
        return self.stem.with_name(f"{PART}{self.stem.name}-{hashlib.sha256(self.url.encode()).hexdigest()[:16]}")

    def row(self, **known: Any) -> dict[str, Any]:
        """Return its row of the table with `limit`; what is not `known` is empty or null."""
        empty = dict.fromkeys(DOWNLOADS.names) | {"status": "", "reason": "", "path": "", "title": ""}
        return empty | {"sha256": "", "fid": self.fid, "number": self.number, "url": self.url, "limit": None} | known


def requests_of(films: Iterable[Film]) -> list[Request]:
    """Return a request a URL, by film and position."""
    return [Request(film.fid, number, url) for film in films for number, url in enumerate(film.soundtrack)]


def limit_of(status: str, settings: Download) -> float | None:
    """Return the limit that a recording of this status exceeds."""
    return {"too_large": settings.max_bytes, "too_long": settings.max_seconds}.get(status)


def save_row(root: Path, request: Request, row: dict[str, Any]) -> None:
    """Write the row beside its recording."""
    write_json(root / request.stem.with_suffix(".json"), row)


def settled_row(root: Path, request: Request, settings: Download) -> dict[str, Any] | None:
    """Return the row of an earlier run when it still holds, else None: the URL is to be fetched.

    It does not hold when the URL changed, the file is missing or of another size, the failure may have passed, or the
    limits allow now what they did not, or no more what they did.
    """
    try:
        row = json.loads((root / request.stem.with_suffix(".json")).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(row, dict) or row.keys() != request.row().keys() or row["url"] != request.url:
        return None
    if row["status"] in AGAIN_NEXT_RUN:
        return None
    if row["status"] == "ok":
        path = root / row["path"]
        whole = path.is_file() and path.stat().st_size == row["bytes"]
        allowed = row["bytes"] <= settings.max_bytes and row["decoded_seconds"] <= settings.max_seconds
        return row if whole and allowed else None
    limit = limit_of(row["status"], settings)
    return row if limit is None or limit <= row["limit"] else None


def remove_others(root: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Remove what no row names: files of films and URLs that left the corpus, and transfers that broke off."""
    kept: dict[str, set[str]] = {}
    for row in rows:
        names = kept.setdefault(row["fid"], set())
        names.add(f"{row['number']:03d}.json")
        if row["path"]:
            names.add(Path(row["path"]).name)
    folders = (root / FOLDER).iterdir() if (root / FOLDER).is_dir() else ()
    for folder in [folder for folder in folders if FID.fullmatch(folder.name)]:
        if folder.name not in kept:
            shutil.rmtree(folder)
            continue
        for file in [file for file in folder.iterdir() if file.name not in kept[folder.name]]:
            file.unlink()
