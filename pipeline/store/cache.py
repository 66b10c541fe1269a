"""What was computed once, kept by what it was computed from.

    data/features/.cache/audio/3f…/about.json        the encoder's full specification and the libraries: for people
    data/features/.cache/audio/3f…/5c….safetensors   a shard: arrays [count, width] by key

A key is the SHA-256 of the content behind an array, a file's or a text's; another specification is another folder.
A shard appears whole, so a killed run keeps what it had finished, and several processes may write at once. Rows are
read with plain reads, not through a memory map, whose pages would count as memory of the process. All of it may be
deleted at any time: it is filled again out of the tables, or computed again.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pipeline.core.files import whole_file, write_json

FOLDER = ".cache"  # beside the tables
DTYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8}  # safetensors' names
STRAY_SECONDS = 3600.0  # without a write, after which nobody is writing it any more
LENGTH_BYTES = 8  # of the header's length, which a file of safetensors begins with


@dataclass(frozen=True)
class _Place:
    path: Path
    offset: int  # bytes
    shape: tuple[int, int]
    dtype: np.dtype


class FeatureCache:
    """The arrays of one specification."""

    def __init__(self, folder: Path) -> None:
        """Find what is in `folder`; what killed runs left, and a shard cut short by a power cut, are removed."""
        self.folder = folder
        for stray in folder.glob(".part-*"):
            with suppress(FileNotFoundError):  # renamed meanwhile
                if time.time() - stray.stat().st_mtime > STRAY_SECONDS:
                    stray.unlink()
        self._places: dict[str, _Place] = {}
        for path in sorted(folder.glob("[!.]*.safetensors")):
            try:
                self._places |= _read_header(path)
            except (ValueError, KeyError):
                path.unlink(missing_ok=True)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that are not here, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def add(self, shard: Path) -> None:
        """Take in what `write_shard` wrote, in whatever process."""
        self._places |= _read_header(shard)

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
        place = self._places[key]
        with place.path.open("rb", buffering=0) as file:
            file.seek(place.offset + start * place.shape[1] * place.dtype.itemsize)
            if file.readinto(rows.reshape(-1).view(np.uint8).data) != rows.nbytes:
                raise OSError(f"{place.path} has been cut short: remove it and run again")


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
    path = folder / f"{name}.safetensors"
    with whole_file(path) as temporary:
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, temporary)
    return path


def _read_header(path: Path) -> dict[str, _Place]:
    """Return where the arrays of a shard lie; raise `ValueError` or `KeyError` when it is not whole."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        size = os.fstat(file.fileno()).st_size
        if length > size:
            raise ValueError(f"{path} has been cut short")
        header = json.loads(file.read(length))
    begin, end = LENGTH_BYTES + length, LENGTH_BYTES + length
    places = {}
    for key, item in _arrays(header):
        first, last = item["data_offsets"]
        places[key] = _Place(path, begin + first, tuple(item["shape"]), np.dtype(DTYPES[item["dtype"]]))
        end = max(end, begin + last)
    if end != size:
        raise ValueError(f"{path} has been cut short")
    return places


def _arrays(header: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((key, item) for key, item in header.items() if key != "__metadata__")
