"""What was computed once, kept by what it was computed from.

    data/features/.cache/audio/3f…/about.json        the encoder's full specification and the libraries: for people
    data/features/.cache/audio/3f…/5c….safetensors   a shard: arrays [count, width] by key
    data/features/.cache/audio/3f…/9a….parquet       a table of frames, a hard link: one copy of them for both

A key is the SHA-256 of the content behind an array, a file's or a text's; another specification is another folder.
A shard appears whole, so a killed run keeps what it had finished, and several processes may write at once. All of it
may be deleted at any time: it is filled again out of the tables, or computed again.

Shards of frames last until a table holds them. Its link stays when the table itself is removed, as DVC does before it
runs a stage, and is never written to, so that who reads it is not disturbed by a table that takes its place.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pipeline.core.errors import MissingFileError
from pipeline.core.files import whole_file, write_json
from pipeline.core.workers import batches
from pipeline.store.frames import check_frames, frame_places
from pipeline.store.places import Place, shard_places

FOLDER = ".cache"  # beside the tables
STRAY_SECONDS = 3600.0  # without a write, after which nobody is writing it any more
SHARD, TABLE = ".safetensors", ".parquet"
SHARD_ARRAYS = 64  # of a shard that is made of others


class FeatureCache:
    """The arrays of one specification."""

    def __init__(self, folder: Path) -> None:
        """Find what is in `folder`; what killed runs left, and a file cut short by a power cut, are removed."""
        self.folder = folder
        for stray in folder.glob(".part-*"):
            with suppress(FileNotFoundError):  # renamed meanwhile
                if time.time() - stray.stat().st_mtime > STRAY_SECONDS:
                    stray.unlink()
        self._places: dict[str, Place] = {}
        self._find()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that are not here, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def add(self, shard: Path) -> None:
        """Take in what `write_shard` wrote, in whatever process."""
        try:
            self._places |= shard_places(shard)
        except FileNotFoundError:  # another process has put it into a table
            self._find()

    def take_in(self, table: Path) -> None:
        """Hold the tracks of a table of frames, by a hard link to it; shards and tables that it holds are removed.

        Where there can be no link its tracks are copied. Raises `MissingFileError` for a table that is damaged, which
        is looked for when this file comes for the first time.
        """
        table = table.resolve()  # DVC may have left a symbolic link
        about = table.stat()
        link = self.folder / f"{about.st_ino:x}-{about.st_mtime_ns:x}{TABLE}"  # of this file alone
        if not link.exists():
            try:
                with whole_file(link) as temporary:
                    temporary.unlink()
                    os.link(table, temporary)
                    check_frames(table)
            except OSError:  # another file system, one without hard links, or another user's file
                places = {key: place for key, place in frame_places(table).items() if key not in self._places}
                if places:
                    check_frames(table)
                    self._copy(places)
                return
        held = frame_places(link)
        self._places |= held
        self._remove_held(link, held)

    def count(self, key: str) -> int:
        """Return the rows of an array."""
        return self._places[key].shape[0]

    def width(self, key: str) -> int:
        """Return the values of a row."""
        return self._places[key].shape[1]

    def dtype(self, key: str) -> np.dtype:
        """Return what the values of an array are stored as."""
        return self._places[key].dtype

    def read(self, key: str) -> np.ndarray:
        """Return an array [count, width], as it was stored."""
        place = self._places[key]
        rows = np.empty(place.shape, place.dtype)
        self.read_into(rows, key, 0)
        return rows

    def read_into(self, rows: np.ndarray, key: str, start: int) -> None:
        """Fill `rows` [n, width], contiguous and of the array's dtype, with the array's rows from `start` on."""
        try:
            self._places[key].read_into(rows, start)
        except FileNotFoundError:  # another process has put it into a table
            self._find()
            self._places[key].read_into(rows, start)

    def _find(self) -> None:
        for path in self._files():
            with suppress(FileNotFoundError):  # removed meanwhile
                try:
                    self._places |= _places_in(path)
                except (ValueError, KeyError, MissingFileError):
                    path.unlink()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[!.]*") if path.suffix in (SHARD, TABLE))

    def _copy(self, places: Mapping[str, Place]) -> None:
        for keys in batches(places, SHARD_ARRAYS):
            arrays = {key: np.empty(places[key].shape, places[key].dtype) for key in keys}
            for key, array in arrays.items():
                places[key].read_into(array, 0)
            self.add(write_shard(self.folder, arrays))

    def _remove_held(self, link: Path, held: Mapping[str, Place]) -> None:
        """Remove other files of which `link` has all arrays, or most: the rest is copied before.

        A table that has a name elsewhere, in DVC's cache, takes no room here and stays.
        """
        for path in self._files():
            with suppress(FileNotFoundError, MissingFileError):  # removed meanwhile
                if path == link or path.stat().st_nlink > 1:
                    continue
                places = _places_in(path)
                rest = {key: place for key, place in places.items() if key not in held}
                if len(rest) * 2 < len(places):
                    self._copy(rest)
                    path.unlink()


def open_cache(tables: Path, kind: str, about: Mapping[str, Any]) -> FeatureCache:
    """Return the cache of `kind` for the tables in a folder; `about` is all that the values depend on.

    In a copy of the repository that `dvc exp run --temp` or `--queue` works in, it is the main repository's.
    """
    root = os.environ.get("DVC_ROOT")
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    folder = (Path(root) / "data/features" if root else tables) / FOLDER / kind / digest
    if not (folder / "about.json").is_file():
        write_json(folder / "about.json", about)
    return FeatureCache(folder)


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package, which values depend on."""
    return {package: version(package) for package in packages}


def write_shard(folder: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write `arrays` [count, width] by key as one shard, whole, and return its path, named by its keys."""
    name = hashlib.sha256("\n".join(sorted(arrays)).encode()).hexdigest()[:32]
    path = folder / f"{name}{SHARD}"
    with whole_file(path) as temporary:
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, temporary)
    return path


def _places_in(path: Path) -> dict[str, Place]:
    return frame_places(path) if path.suffix == TABLE else shard_places(path)
