"""Feature tables: Parquet files of key columns and one column `vector`, a fixed-size list per row.

Music encoders that tag add a column `tag_probabilities`; the file's metadata list the tags' names as `tags`.

Tables are written by row group, so that memory does not grow with the corpus. Row order is the writer's. No value is
null. `sha256` is the digest of the source of a row, a file or a text in UTF-8.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from pipeline.core.errors import MissingFileError
from pipeline.core.files import remove_strays, whole_file

VECTOR = "vector"
TAGS = "tag_probabilities"
METADATA_KEY = b"soundtrack"

WINDOW_KEYS = pa.schema(  # audio of a pretrained encoder: one row per window; for log-mel see `pipeline.store.frames`
    [
        ("fid", pa.string()),
        ("number", pa.int32()),
        ("window", pa.int32()),
        ("start_seconds", pa.float64()),
        ("sha256", pa.string()),
    ]
)
IMAGE_KEYS = pa.schema([("fid", pa.string()), ("crop", pa.int32()), ("sha256", pa.string())])
TEXT_KEYS = pa.schema(
    [("fid", pa.string()), ("input", pa.string()), ("paragraph", pa.int32()), ("sha256", pa.string())]
)


@dataclass(frozen=True)
class FeatureTable:
    """A feature table in memory: one vector per row."""

    keys: dict[str, np.ndarray]  # by column, in row order
    vectors: np.ndarray  # [rows, width]
    about: dict[str, Any]  # encoder, versions, digest

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def width(self) -> int:
        """Values per row."""
        return self.vectors.shape[1]

    def read(self, rows: Sequence[int]) -> Tensor:
        """Return the vectors [n, width] of `rows`."""
        return torch.from_numpy(self.vectors[list(rows)])

    def values(self, stored: Tensor) -> Tensor:
        """Return the model's input, `stored` itself."""
        return stored


def write_features(
    path: Path,
    schema: pa.Schema,
    groups: Iterable[tuple[list[dict[str, Any]], np.ndarray]],
    width: int,
    dtype: np.dtype | type,
    about: dict[str, Any],
    tags: Sequence[str] = (),
    beside: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> None:
    """Write `groups` of (key rows, vectors [rows, width + tags]) to `path` atomically, one row group per group.

    The probabilities of `tags`, if any, follow the values of the vectors and become a separate column. `beside` are
    further columns by name, uint8 [rows of all groups, n]. `about` is stored as JSON in the file's metadata, with the
    SHA-256 of all columns added as `digest`.
    """
    dtype = np.dtype(dtype)
    about = about | ({"tags": list(tags)} if tags else {})
    element = pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)
    lists = {VECTOR: pa.list_(element, width)} | ({TAGS: pa.list_(element, len(tags))} if tags else {})
    fields = [pa.field(name, kind, nullable=False) for name, kind in lists.items()]
    byte = pa.field("element", pa.uint8(), nullable=False)
    bytes_beside = [pa.field(name, pa.list_(byte, many.shape[1]), nullable=False) for name, many in beside.items()]
    full = pa.schema([*schema, *fields, *bytes_beside])
    digest = hashlib.sha256(json.dumps([about, width, dtype.name], sort_keys=True).encode())
    options = {
        "compression": "zstd",
        "use_dictionary": list(schema.names),
        # Parquet stores uint8 as int32, whose empty bytes this groups. DuckDB cannot read byte-stream-split float16.
        "use_byte_stream_split": [f"{name}.list.element" for name in lists] if dtype != np.float16 else False,
        "write_page_checksum": True,
    }
    remove_strays(path)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, full, **options) as writer:
        row = 0
        for keys, vectors in groups:
            flat = np.ascontiguousarray(vectors, dtype=dtype).reshape(len(keys), width + len(tags))
            if not np.isfinite(flat).all():
                raise ValueError(f"{path}: a vector of {keys[0]} … {keys[-1]} is NaN or infinite")
            digest.update(json.dumps(keys, sort_keys=True, default=bytes.hex).encode())
            digest.update(flat.tobytes())
            table = pa.Table.from_pylist(keys, schema=schema)
            parts = np.split(flat, [width], axis=1)[: len(fields)]
            for many in beside.values():
                parts.append(many[row : row + len(keys)])
                digest.update(parts[-1].tobytes())
            for field, values in zip([*fields, *bytes_beside], parts, strict=True):
                column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=field.type)
                table = table.append_column(field, column)
            row += len(keys)
            writer.write_table(table, row_group_size=len(keys))
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(about | {"digest": digest.hexdigest()})})


def open_features(path: Path) -> FeatureTable:
    """Return the table at `path`; raise `MissingFileError` if it is missing or damaged."""
    with open_parquet(path) as (file, about):
        keys = read_keys(file, path)
        vectors = read_all_vectors(file, path)
    return FeatureTable(keys, vectors, about)


def count_rows(path: Path) -> int:
    """Return the number of rows of the table at `path`."""
    return pq.read_metadata(path).num_rows


@contextmanager
def open_parquet(path: Path) -> Iterator[tuple[pq.ParquetFile, dict[str, Any]]]:
    """Yield the file and the metadata of the table at `path`; raise `MissingFileError` as `open_features` does."""
    advice = f"run `dvc repro features@{path.stem}`"
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        about = json.loads((file.schema_arrow.metadata or file.metadata.metadata)[METADATA_KEY])
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except (pa.ArrowInvalid, KeyError, TypeError, json.JSONDecodeError) as error:
        raise MissingFileError(f"{path} is not a feature table ({error}): remove it and {advice}") from None
    with file:
        yield file, about


def read_keys(file: pq.ParquetFile, path: Path) -> dict[str, np.ndarray]:
    """Return the key columns [rows] by name."""
    names = [name for name in file.schema_arrow.names if name not in (VECTOR, TAGS)]
    table = _read(file, path, range(file.num_row_groups), names)
    return {name: table.column(name).to_numpy() for name in names}


def read_all_vectors(file: pq.ParquetFile, path: Path, name: str = VECTOR) -> np.ndarray:
    """Return the vectors [rows, width] of all row groups, or another list column, reading one group at a time."""
    kind = file.schema_arrow.field(name).type
    vectors = np.empty((file.metadata.num_rows, kind.list_size), kind.value_type.to_pandas_dtype())
    row = 0
    for group in range(file.num_row_groups):
        found = read_vectors(file, path, group, name)
        vectors[row : row + len(found)] = found
        row += len(found)
    return vectors


def read_vectors(file: pq.ParquetFile, path: Path, group: int, name: str = VECTOR) -> np.ndarray:
    """Return the vectors [rows, width] of a row group, or another list column, `TAGS`."""
    column = _read(file, path, [group], [name]).column(name).combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def _read(file: pq.ParquetFile, path: Path, groups: Iterable[int], names: Sequence[str]) -> pa.Table:
    try:
        return file.read_row_groups(list(groups), columns=list(names))
    except (pa.ArrowException, OSError) as error:  # OSError if a page cannot be decompressed
        advice = f"remove it and run `dvc repro features@{path.stem}`"
        raise MissingFileError(f"{path} is damaged ({' '.join(str(error).split())}): {advice}") from None
