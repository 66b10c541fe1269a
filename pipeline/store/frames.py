"""The audio table of log-mel frames: one row per track, with random access to any stretch of it.

`vector` holds dB frame by frame, as a list of float16 or a binary of uint8 codes. Each row group has one page of it,
uncompressed and unencoded, so that the frames of its tracks are stored as in memory (Apache Parquet, "Encodings",
PLAIN; each binary is preceded by its length). Compressed pages would be 10 % smaller, but reading a window would mean
decoding a row group.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import MissingFileError
from pipeline.core.files import remove_strays, whole_file
from pipeline.store.places import Place
from pipeline.store.table import METADATA_KEY, VECTOR, open_parquet, read_keys

FRAME_KEYS = pa.schema([("fid", pa.string()), ("number", pa.int32()), ("frames", pa.int32()), ("sha256", pa.string())])
VECTORS = {"float16": pa.list_(pa.field("element", pa.float16(), nullable=False)), "uint8": pa.binary()}
LENGTH_BYTES = {"float16": 0, "uint8": 4}  # before the values of a row
PAGE_BYTES = 2**31 - 1  # Parquet's limit

# A page begins with a header in Thrift's compact protocol, whose first four fields are numbers.
HEADER_BYTES = 64  # enough for these fields
NUMBER = 0x15  # before each number: the next field, an i32
SIZE, CRC = 2, 3  # positions of the page's size after the header, and of its checksum

Row = dict[str, Any]


def write_frames_table(
    path: Path,
    groups: Iterable[tuple[list[Row], list[np.ndarray]]],
    dtype: str,
    about: dict[str, Any],
) -> None:
    """Write `groups` of (key rows, tracks [frames, n_mels]) to `path` atomically, one row group (< 2 GiB) per group.

    `dtype` is float16 or uint8. `about` is stored as JSON in the file's metadata, with the SHA-256 of keys and frames
    added as `digest`.
    """
    schema = FRAME_KEYS.append(pa.field(VECTOR, VECTORS[dtype], nullable=False))
    digest = hashlib.sha256(json.dumps([about, dtype], sort_keys=True).encode())
    options = {
        "compression": "none",
        "use_dictionary": list(FRAME_KEYS.names),
        "write_statistics": list(FRAME_KEYS.names),
        "data_page_size": PAGE_BYTES,
        "write_page_checksum": True,
    }
    remove_strays(path)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema, **options) as writer:
        for keys, tracks in groups:
            for key, track in zip(keys, tracks, strict=True):
                if not np.isfinite(track).all():
                    raise ValueError(f"{path}: a frame of {key} is not finite")
                digest.update(json.dumps(key, sort_keys=True).encode())
                digest.update(np.ascontiguousarray(track).data)
            table = pa.Table.from_pylist(keys, schema=FRAME_KEYS).append_column(schema.field(VECTOR), _column(tracks))
            writer.write_table(table, row_group_size=len(keys))
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(about | {"digest": digest.hexdigest()})})


def frame_places(path: Path) -> dict[str, Place]:
    """Return the places of the tracks in the table at `path`, by the SHA-256 of their files.

    Raises `MissingFileError` if it is missing, damaged or of an earlier version with compressed pages.
    """
    places = {}
    with open_parquet(path) as (file, about):
        dtype, keys = _dtype(file, path), read_keys(file, path)
        width = about["spec"]["n_mels"]
        row = 0
        for group, (begin, end) in enumerate(_chunks(file, path)):
            rows = slice(row, row + file.metadata.row_group(group).num_rows)
            sizes = keys["frames"][rows].astype(np.int64) * width * dtype.itemsize + LENGTH_BYTES[dtype.name]
            if sizes.sum() > end - begin:
                raise MissingFileError(_unreadable(path, f"row group {group} is too short"))
            offsets = end - np.cumsum(sizes[::-1])[::-1] + LENGTH_BYTES[dtype.name]
            row = rows.stop
            for name, offset, frames in zip(keys["sha256"][rows], offsets, keys["frames"][rows], strict=True):
                places[name] = Place(path, int(offset), (int(frames), width), dtype)
    return places


def check_frames(path: Path) -> None:
    """Raise `MissingFileError` unless each row group of the table at `path` is one page with a valid checksum."""
    with open_parquet(path) as (file, _), path.open("rb") as content:
        for group, (begin, end) in enumerate(_chunks(file, path)):
            content.seek(begin)
            numbers = list(_numbers(content.read(HEADER_BYTES)))
            size, crc = numbers[SIZE : CRC + 1] if len(numbers) > CRC else (end, 0)
            content.seek(max(end - size, 0))
            if begin + size >= end or zlib.crc32(content.read(size)) != crc % 2**32:
                raise MissingFileError(_unreadable(path, f"the checksum of row group {group} differs"))


def _column(tracks: list[np.ndarray]) -> pa.Array:
    kind = VECTORS[tracks[0].dtype.name]
    if pa.types.is_binary(kind):
        return pa.array([track.tobytes() for track in tracks], kind)
    ends = np.cumsum([0, *(track.size for track in tracks)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(tracks).reshape(-1)), type=kind)


def _dtype(file: pq.ParquetFile, path: Path) -> np.dtype:
    kind = file.schema_arrow.field(VECTOR).type
    for name, expected in VECTORS.items():
        if kind == expected:
            return np.dtype(name)
    raise MissingFileError(_unreadable(path, f"vectors are {kind}"))


def _chunks(file: pq.ParquetFile, path: Path) -> Iterator[tuple[int, int]]:
    """Yield the begin and end of the page of each row group's vectors, including its header."""
    column = file.schema_arrow.names.index(VECTOR)
    for group in range(file.num_row_groups):
        chunk = file.metadata.row_group(group).column(column)
        if chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page:
            raise MissingFileError(_unreadable(path, f"row group {group} is {chunk.compression}"))
        yield chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size


def _numbers(header: bytes) -> Iterator[int]:
    """Yield the numbers at the start of a page's header: zigzag varints, seven bits per byte, lowest first."""
    value = shift = 0
    inside = False
    for byte in header:
        if not inside:
            if byte != NUMBER:
                return
            inside, value, shift = True, 0, 0
            continue
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            inside = False
            yield (value >> 1) ^ -(value & 1)


def _unreadable(path: Path, reason: str) -> str:
    return f"{path} is damaged or of an earlier version ({reason}): remove it and run `dvc repro features@{path.stem}`"
