"""Records of earlier runs, one JSON file per item: a killed run resumes, and unchanged items are kept.

    folder/AAA.json, folder/AAA/000.json, …     a name is a path below the folder, without the suffix

Records are written atomically. A record is read only if it has the keys of this version and was made from the same
inputs; each stage decides which records are still valid, and what must be repeated.
"""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pipeline.core.files import write_json

SUFFIX = ".json"
HIDDEN = "."  # prefix of incomplete files

Record = dict[str, Any]


class Ledger:
    """The records below `folder`, each an object with exactly the keys `keys`."""

    def __init__(self, folder: Path, keys: Iterable[str]) -> None:
        self.folder = folder
        self._keys = frozenset(keys)

    def read(self, name: str, **inputs: Any) -> Record | None:
        """Return the record of an item; None if it is missing, of another shape or has other `inputs`."""
        try:
            record = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(record, dict) or record.keys() != self._keys:
            return None
        return record if all(record[key] == value for key, value in inputs.items()) else None

    def write(self, name: str, record: Record) -> None:
        """Write the record of an item; raise `ValueError` if it has other keys."""
        if record.keys() != self._keys:
            raise ValueError(f"{name}: the keys {sorted(self._keys ^ record.keys())} are missing or unknown")
        write_json(self._path(name), record)

    def remove(self, name: str) -> None:
        """Remove the record of an item, if there is one: its files are about to be replaced."""
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all items with a record, sorted."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob(f"*{SUFFIX}"))
        return sorted(path.as_posix().removesuffix(SUFFIX) for path in found if not path.name.startswith(HIDDEN))

    def sweep(self, kept: Collection[str]) -> None:
        """Remove the records of all items that are not in `kept`."""
        for name in self.names():
            if name not in kept:
                self.remove(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"
