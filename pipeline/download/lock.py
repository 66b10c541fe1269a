"""What searches and playlists led to, so that two people with one file get the same recordings.

    data/soundtrack.lock.json        written: what this working copy resolved, and what it was given
    <corpus>/soundtrack.lock.json    given by somebody else, and only read: it wins

Both have the same form, by item as `meta.json` writes it:

    {"ytsearch1:Metropolis 1927 soundtrack": {
        "resolved_at": "2026-11-04",
        "entries": [{"url": "https://www.youtube.com/watch?v=…", "title": "…", "seconds": 7205.0}]}}

An item that stands in one of them is never resolved again: take it out to have it resolved anew.
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

NAME = "soundtrack.lock.json"  # in the corpus's folder, and ...
WRITTEN = Path("data") / NAME  # ... below the root


@dataclass(frozen=True)
class Entry:
    """One recording of a list; `title` may be empty, `seconds` None."""

    url: str
    title: str
    seconds: float | None


def is_address(url: Any) -> bool:
    """Return whether `url` may stand in the file: http or https, and nothing that cannot be written."""
    return is_web(url) and urlsplit(url).scheme in ("http", "https")


class Lock:
    """Both files, read once; what is resolved is written at each addition. To be used by several threads."""

    def __init__(self, root: Path, corpus: Path) -> None:
        """Read the files below `root` and in `corpus`; raise `CorpusError` when one is not of this shape."""
        self._path = root / WRITTEN
        self._lock = threading.Lock()
        self._items = _read(self._path) | _read(corpus / NAME)

    def write(self) -> None:
        """Write the file below the root, by item."""
        write_json(self._path, dict(sorted(self._items.items())))

    def entries(self, item: str) -> list[Entry] | None:
        """Return what an item led to; None when it has not been resolved."""
        with self._lock:
            found = self._items.get(item)
        return None if found is None else [Entry(**entry) for entry in found["entries"]]

    def record(self, item: str, entries: Iterable[Entry]) -> list[Entry]:
        """Write down what an item led to, unless it already stands there; return what stands there."""
        today = datetime.now(UTC).date().isoformat()
        with self._lock:
            if item not in self._items:
                self._items[item] = {"resolved_at": today, "entries": [asdict(entry) for entry in entries]}
                self.write()
            return [Entry(**entry) for entry in self._items[item]["entries"]]


def _read(path: Path) -> dict[str, Any]:
    advice = "mend it, or remove it to have searches and playlists resolved anew"
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON ({error}): {advice}") from None
    if not isinstance(items, dict):
        raise CorpusError(
            f'{path} must hold an object {{"ytsearch1:…": {{…}}}}, found a {type(items).__name__}: {advice}'
        )
    for item, value in items.items():
        if problem := _problem(value):
            raise CorpusError(f"{path}: {item[:100]!r}: {problem}: {advice}")
    return items


def _problem(value: Any) -> str:
    if not isinstance(value, dict) or value.keys() != {"resolved_at", "entries"}:
        return "expected an object with the fields resolved_at and entries"
    if not isinstance(value["resolved_at"], str):
        return "resolved_at is no date"
    entries = value["entries"]
    if not isinstance(entries, list) or not entries:
        return "entries is no list with an entry or more"
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"url", "title", "seconds"}:
            return "an entry is no object with the fields url, title and seconds"
        if not is_address(entry["url"]):
            return f"{str(entry['url'])[:100]!r} is no http or https address"
        if not isinstance(entry["title"], str):
            return "a title is no text"
        if entry["seconds"] is not None and type(entry["seconds"]) not in (int, float):
            return "seconds is neither a number nor null"
    return ""
