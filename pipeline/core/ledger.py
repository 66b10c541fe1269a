"""What earlier runs left, one JSON file per item, so that a killed run resumes and what has not changed is kept.

    folder/AAA.json, folder/AAA/000.json, …     a name is a path below the folder, without the suffix

A record is written whole or not at all. It is read back only if it has the keys that this version writes and was made
from the same inputs; which records still hold, and what must be done again, each stage decides itself.
"""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pipeline.core.files import write_json

SUFFIX = ".json"
HIDDEN = "."  # begins the names of files that are not whole

Record = dict[str, Any]


class Ledger:
    """The records below `folder`, each an object with exactly the keys `keys`."""

    def __init__(self, folder: Path, keys: Iterable[str]) -> None:
        self.folder = folder
        self._keys = frozenset(keys)

    def read(self, name: str, **inputs: Any) -> Record | None:
        """Return the record of an item; None when there is none, none of this shape or none with these `inputs`."""
        try:
            record = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(record, dict) or record.keys() != self._keys:
            return None
        return record if all(record[key] == value for key, value in inputs.items()) else None

    def write(self, name: str, record: Record) -> None:
        """Write the record of an item whole; raise `ValueError` when it has other keys."""
        if record.keys() != self._keys:
            raise ValueError(f"{name}: the keys {sorted(self._keys ^ record.keys())} are missing or unknown")
        write_json(self._path(name), record)

    def remove(self, name: str) -> None:
        """Remove the record of an item, if there is one: its files are about to be replaced."""
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all items with a file, sorted."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob(f"*{SUFFIX}"))
        return sorted(path.as_posix().removesuffix(SUFFIX) for path in found if not path.name.startswith(HIDDEN))

    def sweep(self, kept: Collection[str]) -> None:
        """Remove the records of all items that are not among the names `kept`."""
        for name in self.names():
            if name not in kept:
                self.remove(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"
