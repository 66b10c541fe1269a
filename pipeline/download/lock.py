"""The results of searches and playlists, recorded in a file: two people with this file get the same recordings.

    data/soundtrack.lock.json        written: items resolved in this working copy, and given ones
    <corpus>/soundtrack.lock.json    given, read-only: takes precedence

Both have the same form, by item as in `meta.json`:

    {"ytsearch1:Metropolis 1927 soundtrack": {
        "resolved_at": "2026-11-04",
        "entries": [{"url": "https://www.youtube.com/watch?v=…", "title": "…", "seconds": 7205.0}]}}

An item in one of them is resolved only once: remove it to resolve it again.
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.core.errors import CorpusError
from pipeline.core.files import write_json
from pipeline.corpus.entry import is_web

NAME = "soundtrack.lock.json"  # in the corpus's folder
WRITTEN = Path("data") / NAME  # relative to the root


@dataclass(frozen=True)
class Entry:
    """One recording of a list; `title` may be empty, `seconds` None."""

    url: str
    title: str
    seconds: float | None


def is_address(url: Any) -> bool:
    """Return whether `url` is allowed in the file: http or https, without unprintable characters."""
    return is_web(url) and urlsplit(url).scheme in ("http", "https")


class Lock:
    """Both files, read once; written after each resolved item. Thread-safe."""

    def __init__(self, root: Path, corpus: Path) -> None:
        """Read the files of `root` and `corpus`; raise `CorpusError` if one is not of this form."""
        self._path = root / WRITTEN
        self._lock = threading.Lock()
        self._items = _read(self._path) | _read(corpus / NAME)

    def write(self) -> None:
        """Write the file of the root, sorted by item."""
        write_json(self._path, dict(sorted(self._items.items())))

    def entries(self, item: str) -> list[Entry] | None:
        """Return the entries of an item; None if it has not been resolved."""
        with self._lock:
            found = self._items.get(item)
        return None if found is None else [Entry(**entry) for entry in found["entries"]]

    def record(self, item: str, entries: Iterable[Entry]) -> list[Entry]:
        """Record the entries of an item, unless it is already recorded; return the recorded ones."""
        today = datetime.now(UTC).date().isoformat()
        with self._lock:
            if item not in self._items:
                self._items[item] = {"resolved_at": today, "entries": [asdict(entry) for entry in entries]}
                self.write()
            return [Entry(**entry) for entry in self._items[item]["entries"]]


def _read(path: Path) -> dict[str, Any]:
    advice = "fix it, or remove it to resolve searches and playlists again"
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON ({error}): {advice}") from None
    if not isinstance(items, dict):
        raise CorpusError(
            f'{path} must contain an object {{"ytsearch1:…": {{…}}}}, found {type(items).__name__}: {advice}'
        )
    for item, value in items.items():
        if problem := _problem(value):
            raise CorpusError(f"{path}: {item[:100]!r}: {problem}: {advice}")
    return items


def _problem(value: Any) -> str:
    if not isinstance(value, dict) or value.keys() != {"resolved_at", "entries"}:
        return "expected an object with the fields resolved_at and entries"
    if not isinstance(value["resolved_at"], str):
        return "resolved_at is not a date"
    entries = value["entries"]
    if not isinstance(entries, list) or not entries:
        return "entries is not a list with at least one entry"
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"url", "title", "seconds"}:
            return "an entry is not an object with the fields url, title and seconds"
        if not is_address(entry["url"]):
            return f"{str(entry['url'])[:100]!r} is not an http or https URL"
        if not isinstance(entry["title"], str):
            return "a title is not text"
        if entry["seconds"] is not None and type(entry["seconds"]) not in (int, float):
            return "seconds is neither a number nor null"
    return ""
