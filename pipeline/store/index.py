"""Indexes: tables of tracks with their embeddings by one model, all that a search needs beside a query.

The same table for the tracks of the data set, which `publish` writes, and for one's own music, which `index` does. A
track of one's own music is a part of a file, `file_start_seconds` from its beginning; those of the data set are files
of their own. A text that is not known is empty, a number that is not known is null.

`TrackColumns` is the one list of a track's columns: the table, what is answered as JSON and CSV, the HTTP API and the
model in MLflow take theirs from it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.core.workers import batches
from pipeline.store.table import VECTOR, write_features

INDEX = "tracks.parquet"  # beside the model that is published
REPEATED = "repeated"  # marks a column in which few texts repeat over many tracks
GROUP_ROWS = 8192  # a row group, of the size that a reader decodes at once


class TrackColumns(BaseModel):
    """The columns of a track, in the order in which tables list them."""

    film: Annotated[str, Field(description="title of the film or album"), REPEATED]
    year: Annotated[int | None, Field(description="of the film or album")]
    artist: Annotated[str, Field(description="who performs the recording"), REPEATED]
    title: Annotated[str, Field(description="of the recording, or of its chapter")]
    start_seconds: Annotated[float | None, Field(description="in the recording that it was cut from")]
    file_start_seconds: Annotated[float | None, Field(description="in the file at `path`, which `audio` sends")]
    seconds: Annotated[float | None, Field(description="how long it is")]
    fid: Annotated[str, Field(description="of the film; empty for music of one's own"), REPEATED]
    number: Annotated[int | None, Field(description="among the tracks of the film, or of the file")]
    split: Annotated[
        str, Field(description="of the data set: train, valid or eval; empty for music of one's own"), REPEATED
    ]
    url: Annotated[
        str, Field(description="of the film's article; {origin} stands for the corpus's own server"), REPEATED
    ]
    source_url: Annotated[str, Field(description="where the recording came from; the same"), REPEATED]
    path: Annotated[str, Field(description="of the file, below the library's folder, parted by /")]
    music_tags: Annotated[
        str,
        Field(description="what the music encoder hears, the likeliest first; empty where it does not tag"),
        REPEATED,
    ]


TYPES: dict[Any, pa.DataType] = {str: pa.string(), int | None: pa.int32(), float | None: pa.float64()}
INDEX_KEYS = pa.schema([(name, TYPES[field.annotation]) for name, field in TrackColumns.model_fields.items()])
REPEATED_COLUMNS = frozenset(name for name, field in TrackColumns.model_fields.items() if REPEATED in field.metadata)
FORMER_NAMES = {"film": "title", "title": "track", "split": "side"}  # in an index that has a column `track`


def write_index(path: Path, tracks: Iterable[dict[str, Any]], vectors: np.ndarray, about: dict[str, Any]) -> None:
    """Write `tracks` in order with their unit vectors [tracks, e] as a fixed-size list of float32.

    `about` says which variant (`variant`), whose weights (`model`, their SHA-256) and what else they come from; it goes
    into the file's metadata.
    """
    rows = ({name: track[name] for name in INDEX_KEYS.names} for track in tracks)
    groups = (
        (group, vectors[number * GROUP_ROWS :][: len(group)]) for number, group in enumerate(batches(rows, GROUP_ROWS))
    )
    write_features(path, INDEX_KEYS, groups, vectors.shape[1], np.float32, about)


def stored_columns(schema: pa.Schema) -> dict[str, str | None]:
    """Return under which name each column of `INDEX_KEYS` stands in an index of `schema`; None: it is missing there.

    An index of an earlier version has other names, or fewer columns. Raises `ValueError` for what is no index: a table
    without paths, with columns that no version had, or of other types.
    """
    former = FORMER_NAMES if "track" in schema.names else {}
    stored = {name: former.get(name, name) for name in INDEX_KEYS.names}
    if "path" not in schema.names or not {*schema.names} <= {*stored.values(), VECTOR}:
        raise ValueError(f"columns: found {', '.join(schema.names)}, expected {', '.join(INDEX_KEYS.names)}")
    for name, of_file in stored.items():
        if of_file in schema.names and schema.field(of_file).type != INDEX_KEYS.field(name).type:
            raise ValueError(f"{of_file}: found {schema.field(of_file).type}, expected {INDEX_KEYS.field(name).type}")
    return {name: of_file if of_file in schema.names else None for name, of_file in stored.items()}


def missing_column(name: str, count: int) -> pa.Array:
    """Return the values of a column that an index lacks: empty texts, or nulls."""
    kind = INDEX_KEYS.field(name).type
    return pa.repeat("", count) if pa.types.is_string(kind) else pa.nulls(count, kind)


def film_tracks(
    dataset: Iterable[dict[str, Any]], segments: Iterable[dict[str, Any]], music_tags: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the rows of the data set as tracks of an index.

    `segments` are rows of data/segments.parquet, which have where each was cut out of what; `music_tags` is a text per
    row of `dataset`.
    """
    cut = {row["path"]: row for row in segments}
    return [
        {name: row[name] for name in INDEX_KEYS.names if name in row}
        | {
            "film": row["title"],
            "title": cut[row["path"]]["title"],
            "artist": "",
            "start_seconds": cut[row["path"]]["start_seconds"],
            "file_start_seconds": 0.0,
            "music_tags": tags,
        }
        for row, tags in zip(dataset, music_tags, strict=True)
    ]
