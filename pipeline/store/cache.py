"""A content-addressed cache of computed features.

    data/features/.cache/audio/3f…/about.json        the encoder's full specification and library versions, for people
    data/features/.cache/audio/3f…/5c….safetensors   a shard: arrays [count, width] by key
    data/features/.cache/audio/3f…/9a….parquet       a table of frames, hard-linked to share one copy

A key is the SHA-256 of the content that an array was computed from, a file or a text; each specification has its own
folder. Shards are written atomically, so that a killed run keeps finished shards and several processes may write at
once. The cache can be deleted at any time: it is refilled from the tables, or recomputed.

Shards of frames are removed once a table holds them. The link to the table remains when DVC removes the table before
running a stage. It is never written to, so that a new table does not disturb its readers.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
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
STRAY_SECONDS = 3600.0  # since the last write, after which a temporary file is abandoned
SHARD, TABLE = ".safetensors", ".parquet"
SHARD_ARRAYS = 64  # per copied shard

_version = cache(version)  # reading a package's metadata takes milliseconds


class FeatureCache:
    """The arrays of one specification."""

    def __init__(self, folder: Path) -> None:
        """Open the cache in `folder`; temporary files of killed runs and truncated files are removed."""
        self.folder = folder
        for stray in folder.glob(".part-*"):
            with suppress(FileNotFoundError):  # renamed in the meantime
                if time.time() - stray.stat().st_mtime > STRAY_SECONDS:
                    stray.unlink()
        self._places: dict[str, Place] = {}
        self._find()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that are not in the cache, without duplicates, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def add(self, shard: Path) -> None:
        """Add a shard written by `write_shard`, in any process."""
        try:
            self._places |= shard_places(shard)
        except FileNotFoundError:  # moved into a table by another process
            self._find()

    def take_in(self, table: Path) -> None:
        """Add the tracks of a table of frames by a hard link to it; remove shards and tables that it replaces.

        If hard links are impossible, its tracks are copied. Raises `MissingFileError` if the table is damaged, which is
        checked when a file is first added.
        """
        table = table.resolve()  # DVC may use symbolic links
        about = table.stat()
        link = self.folder / f"{about.st_ino:x}-{about.st_mtime_ns:x}{TABLE}"  # unique to this file
        if not link.exists():
            try:
                with whole_file(link) as temporary:
                    temporary.unlink()
                    os.link(table, temporary)
                    check_frames(table)
            except OSError:  # another file system, no hard links, or another user's file
                places = {key: place for key, place in frame_places(table).items() if key not in self._places}
                if places:
                    check_frames(table)
                    self._copy(places)
                return
        held = frame_places(link)
        self._places |= held
        self._remove_held(link, held)

    def count(self, key: str) -> int:
        """Return the number of rows of an array."""
        return self._places[key].shape[0]

    def width(self, key: str) -> int:
        """Return the number of values per row of an array."""
        return self._places[key].shape[1]

    def dtype(self, key: str) -> np.dtype:
        """Return the stored dtype of an array."""
        return self._places[key].dtype

    def read(self, key: str) -> np.ndarray:
        """Return an array [count, width], as stored."""
        place = self._places[key]
        rows = np.empty(place.shape, place.dtype)
        self.read_into(rows, key, 0)
        return rows

    def read_into(self, rows: np.ndarray, key: str, start: int) -> None:
        """Fill `rows` [n, width], contiguous and of the array's dtype, with the array's rows from `start` on."""
        try:
            self._places[key].read_into(rows, start)
        except FileNotFoundError:  # moved into a table by another process
            self._find()
            self._places[key].read_into(rows, start)

    def _find(self) -> None:
        for path in self._files():
            with suppress(FileNotFoundError):  # removed in the meantime
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
        """Remove other files if `link` holds all or most of their arrays, after copying the rest.

        A table with another hard link, in DVC's cache, takes no extra space and is kept.
        """
        for path in self._files():
            with suppress(FileNotFoundError, MissingFileError):  # removed in the meantime
                if path == link or path.stat().st_nlink > 1:
                    continue
                places = _places_in(path)
                rest = {key: place for key, place in places.items() if key not in held}
                if len(rest) * 2 < len(places):
                    self._copy(rest)
                    path.unlink()


def open_cache(tables: Path, kind: str, about: Mapping[str, Any]) -> FeatureCache:
    """Return the cache of `kind` for the tables in a folder; `about` is everything that determines the values.

    In the temporary copies of `dvc exp run --temp` and `--queue` it is the main repository's cache.
    """
    root = os.environ.get("DVC_ROOT")
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    folder = (Path(root) / "data/features" if root else tables) / FOLDER / kind / digest
    if not (folder / "about.json").is_file():
        write_json(folder / "about.json", about)
    return FeatureCache(folder)


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: _version(package) for package in packages}


def write_shard(folder: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write `arrays` [count, width] by key as one shard, atomically; return its path, a digest of its keys."""
    name = hashlib.sha256("\n".join(sorted(arrays)).encode()).hexdigest()[:32]
    path = folder / f"{name}{SHARD}"
    with whole_file(path) as temporary:
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, temporary)
    return path


def _places_in(path: Path) -> dict[str, Place]:
    return frame_places(path) if path.suffix == TABLE else shard_places(path)
