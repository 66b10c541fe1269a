"""Places of arrays in files, stored as in memory, so that any stretch of rows is a single read.

Reads, not memory maps, as mapped pages count as memory of the process.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DTYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8}  # by name in safetensors
LENGTH_BYTES = 8  # of the header's length, at the start of a safetensors file


@dataclass(frozen=True)
class Place:
    """An array [count, width] in a file."""

    path: Path
    offset: int  # bytes
    shape: tuple[int, int]
    dtype: np.dtype

    def read_into(self, rows: np.ndarray, start: int) -> None:
        """Fill `rows` [n, width], contiguous and of the array's dtype, with the array's rows from `start` on."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset + start * self.shape[1] * self.dtype.itemsize)
            if file.readinto(rows.reshape(-1).view(np.uint8).data) != rows.nbytes:
                raise OSError(f"{self.path} has been cut short: remove it and run the stage again")


def shard_places(path: Path) -> dict[str, Place]:
    """Return the places of the arrays of a safetensors file; raise `ValueError` or `KeyError` if it is damaged."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        size = os.fstat(file.fileno()).st_size
        if length > size:
            raise ValueError(f"{path} has been cut short")
        header = json.loads(file.read(length))
    begin, end = LENGTH_BYTES + length, LENGTH_BYTES + length
    places = {}
    for key, item in header.items():
        if key == "__metadata__":
            continue
        first, last = item["data_offsets"]
        places[key] = Place(path, begin + first, tuple(item["shape"]), np.dtype(DTYPES[item["dtype"]]))
        end = max(end, begin + last)
    if end != size:
        raise ValueError(f"{path} has been cut short")
    return places
