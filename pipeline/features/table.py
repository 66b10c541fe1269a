"""Feature tables: Parquet files of key columns and one column `vector`, a fixed-size list a row.

Written row group by row group, so that memory does not grow with the corpus. Read through a memory map of the
decoded column, kept beside the table and named by the digest of its content, so that random access costs
no decoding and several processes share a copy. Row order is the writer's. No value is null.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import MissingFileError
from pipeline.files import whole_file

VECTOR = "vector"
METADATA_KEY = b"soundtrack"
MAPPED_FOLDER = ".mapped"  # beside the tables; safe to delete

AUDIO_KEYS = pa.schema([("fid", pa.string()), ("number", pa.int32()), ("frames", pa.int32())])
IMAGE_KEYS = pa.schema([("fid", pa.string())])
TEXT_KEYS = pa.schema([("fid", pa.string()), ("input", pa.string()), ("paragraph", pa.int32())])


@dataclass(frozen=True)
class FeatureTable:
    """A feature table, opened."""

    keys: dict[str, np.ndarray]  # a column each, in row order
    vectors: np.ndarray  # [rows, width], read-only, mapped from disk
    about: dict[str, Any]  # encoder or spectrogram settings, versions, digest

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def width(self) -> int:
        """Values a row."""
        return self.vectors.shape[1]


def write_features(
    path: Path,
    schema: pa.Schema,
    groups: Iterable[tuple[list[dict[str, Any]], np.ndarray]],
    width: int,
    dtype: np.dtype | type,
    about: dict[str, Any],
) -> None:
    """Write `groups` of (key rows, vectors [rows, width]) to `path` whole, one row group each.

    `about` becomes JSON in the file's metadata, with the SHA-256 of keys and vectors added as `digest`.
    """
    dtype = np.dtype(dtype)
    element = pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)
    full = schema.append(pa.field(VECTOR, pa.list_(element, width), nullable=False))
    digest = hashlib.sha256(json.dumps([about, width, dtype.name], sort_keys=True).encode())
    options = {
        "compression": "zstd",
        "use_dictionary": list(schema.names),
        "use_byte_stream_split": [f"{VECTOR}.list.element"],
        "write_page_checksum": True,
    }
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, full, **options) as writer:
        for keys, vectors in groups:
            flat = np.ascontiguousarray(vectors, dtype=dtype).reshape(len(keys), width)
            if not np.isfinite(flat).all():
                raise ValueError(f"{path}: a vector among {keys[0]} … {keys[-1]} is not finite")
            digest.update(json.dumps(keys, sort_keys=True).encode())
            digest.update(flat.tobytes())
            table = pa.Table.from_pylist(keys, schema=schema)
            column = pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), type=full.field(VECTOR).type)
            writer.write_table(table.append_column(full.field(VECTOR), column), row_group_size=len(keys))
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(about | {"digest": digest.hexdigest()})})


def open_features(path: Path) -> FeatureTable:
    """Open the table at `path`; raise `MissingFileError` when it is missing or damaged."""
    advice = f"run `dvc repro features@{path.stem}`"
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        about = json.loads((file.schema_arrow.metadata or file.metadata.metadata)[METADATA_KEY])
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except (pa.ArrowInvalid, KeyError, TypeError, json.JSONDecodeError) as error:
        raise MissingFileError(f"{path} is not a feature table ({error}): remove it and {advice}") from None
    with file:
        names = [name for name in file.schema_arrow.names if name != VECTOR]
        keys = {name: _read(file, path, name, range(file.num_row_groups)).to_numpy() for name in names}
        vectors = _mapped_vectors(file, path, about["digest"])
    return FeatureTable(keys, vectors, about)


def _mapped_vectors(file: pq.ParquetFile, path: Path, digest: str) -> np.ndarray:
    mapped = path.parent / MAPPED_FOLDER / f"{path.stem}-{digest[:32]}.npy"
    try:
        return np.load(mapped, mmap_mode="r")
    except (FileNotFoundError, EOFError, ValueError):  # not there yet, or cut short
        _write_map(file, path, mapped)
    return np.load(mapped, mmap_mode="r")


def _write_map(file: pq.ParquetFile, path: Path, mapped: Path) -> None:
    kind = file.schema_arrow.field(VECTOR).type
    shape = (file.metadata.num_rows, kind.list_size)
    with whole_file(mapped) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", kind.value_type.to_pandas_dtype(), shape)
        row = 0
        for group in range(file.num_row_groups):
            block = _read(file, path, VECTOR, [group]).combine_chunks().flatten().to_numpy().reshape(-1, kind.list_size)
            array[row : row + len(block)] = block
            row += len(block)
        array.flush()
    for old in mapped.parent.glob(f"{path.stem}-*.npy"):
        if old != mapped:
            old.unlink(missing_ok=True)  # of an earlier content; whoever has it open keeps it


def _read(file: pq.ParquetFile, path: Path, name: str, groups: Iterable[int]) -> pa.ChunkedArray:
    try:
        return file.read_row_groups(list(groups), columns=[name]).column(name)
    except (pa.ArrowException, OSError) as error:  # a page that does not unpack is an OSError
        advice = f"remove it and run `dvc repro features@{path.stem}`"
        raise MissingFileError(f"{path} is damaged ({' '.join(str(error).split())}): {advice}") from None
