"""Indexes: tables of tracks with their embeddings by one model, all that a search needs beside a query.

The same table for the tracks of the data set, which `publish` writes, and for one's own music, which `index` does. A
track of one's own music is a part of a file, `file_start_seconds` from its beginning; those of the data set are files
of their own. A text that is not known is empty, a number that is not known is null.

`TrackColumns` is the one list of a track's columns: the table, what is answered as JSON and CSV, the HTTP API and the
model in MLflow take theirs from it. Two columns are in the table alone: `peaks`, the outline of the file at `path`, and
`music_probabilities`, of the tags that the metadata list as `music_tags`.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.core.workers import batches
from pipeline.store.table import VECTOR, open_parquet, write_features

INDEX = "tracks.parquet"  # beside the model that is published
REPEATED = "repeated"  # marks a column in which few texts repeat over many tracks
GROUP_ROWS = 8192  # a row group, of the size that a reader decodes at once
PEAKS = "peaks"  # as `pipeline.features.peaks` has them; null where they are not known
PROBABILITIES = "music_probabilities"  # uint8 [tags], 255 for 1
MUSIC_TAGS = "music_tags"  # in the metadata: the names of those tags
SOUND_COLUMNS = ("tempo", "key", "loudness", PEAKS)


class TrackColumns(BaseModel):
    """The columns of a track, in the order in which tables list them."""

    film: Annotated[str, Field(description="title of the film or album"), REPEATED]
    year: Annotated[int | None, Field(description="of the film or album")]
    artist: Annotated[str, Field(description="who performs the recording"), REPEATED]
    title: Annotated[str, Field(description="of the recording, or of its chapter")]
    start_seconds: Annotated[float | None, Field(description="in the recording that it was cut from")]
    file_start_seconds: Annotated[float | None, Field(description="in the file at `path`, which `audio` sends")]
    seconds: Annotated[float | None, Field(description="how long it is")]
    recording_seconds: Annotated[
        float | None, Field(description="length of the recording or chapter that it was cut from, or of the file")
    ]
    tempo: Annotated[float | None, Field(description="beats per minute, estimated; null without a clear beat")]
    key: Annotated[str, Field(description="estimated, e.g. C major or F# minor; empty where none is clear"), REPEATED]
    loudness: Annotated[float | None, Field(description="LUFS, integrated; null for silence")]
    vocals: Annotated[
        float | None,
        Field(description="probability that somebody sings, by the music encoder; null where it tags no voices"),
    ]
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
STORED = INDEX_KEYS.append(pa.field(PEAKS, pa.binary()))
NOT_KNOWN = {field.name: "" if field.type == pa.string() else None for field in STORED}
FORMER_NAMES = {"film": "title", "title": "track", "split": "side"}  # in an index that has a column `track`


def write_index(
    path: Path,
    tracks: Iterable[dict[str, Any]],
    vectors: np.ndarray,
    about: dict[str, Any],
    probabilities: np.ndarray | None = None,
) -> None:
    """Write `tracks` in order with their unit vectors [tracks, e] as a fixed-size list of float32.

    A track has columns of `INDEX_KEYS` and `PEAKS`; one that it lacks is empty or null. `about` says which variant
    (`variant`), whose weights (`model`, their SHA-256) and what else they come from; it goes into the file's metadata.
    `probabilities` are uint8 [tracks, tags] of the tags that `about` lists as `MUSIC_TAGS`.
    """
    rows = ({name: track.get(name, NOT_KNOWN[name]) for name in NOT_KNOWN} for track in tracks)
    groups = (
        (group, vectors[number * GROUP_ROWS :][: len(group)]) for number, group in enumerate(batches(rows, GROUP_ROWS))
    )
    beside = {} if probabilities is None else {PROBABILITIES: probabilities}
    write_features(path, STORED, groups, vectors.shape[1], np.float32, about, beside=beside)


def as_bytes(probabilities: Iterable[float]) -> np.ndarray:
    """Return probabilities as an index stores them, uint8 [tags]."""
    return np.rint(np.array([*probabilities]) * 255).astype(np.uint8)


def read_peaks(path: Path, row: int) -> bytes | None:
    """Return the peaks of the track in `row` of the index at `path`, None where they are not known.

    Only the column's pages of one row group are read. Raises `MissingFileError` as `open_parquet`, `IndexError` for a
    row that is not there.
    """
    with open_parquet(path) as (file, _):
        if not 0 <= row < file.metadata.num_rows:
            raise IndexError(f"{path} has no row {row}")
        if PEAKS not in file.schema_arrow.names:
            return None
        ends = [*accumulate(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))]
        group = bisect_right(ends, row)
        column = file.read_row_group(group, columns=[PEAKS]).column(PEAKS)
        return column[row - ends[group] + len(column)].as_py()


def stored_columns(schema: pa.Schema) -> dict[str, str | None]:
    """Return under which name each column of `INDEX_KEYS` stands in an index of `schema`; None: it is missing there.

    An index of an earlier version has other names, or fewer columns. Raises `ValueError` for what is no index: a table
    without paths, with columns that no version had, or of other types.
    """
    former = FORMER_NAMES if "track" in schema.names else {}
    stored = {name: former.get(name, name) for name in INDEX_KEYS.names}
    if "path" not in schema.names or not {*schema.names} <= {*stored.values(), VECTOR, PEAKS, PROBABILITIES}:
        raise ValueError(f"columns: found {', '.join(schema.names)}, expected {', '.join(INDEX_KEYS.names)}")
    for name, of_file in stored.items():
        if of_file in schema.names and schema.field(of_file).type != INDEX_KEYS.field(name).type:
            raise ValueError(f"{of_file}: found {schema.field(of_file).type}, expected {INDEX_KEYS.field(name).type}")
    return {name: of_file if of_file in schema.names else None for name, of_file in stored.items()}


def missing_column(name: str, count: int) -> pa.Array:
    """Return the values of a column that an index lacks: empty texts, or nulls."""
    return pa.repeat(pa.scalar(NOT_KNOWN[name], INDEX_KEYS.field(name).type), count)


def film_tracks(
    dataset: Iterable[dict[str, Any]],
    segments: Iterable[dict[str, Any]],
    downloads: Iterable[dict[str, Any]],
    sounds: Iterable[dict[str, Any]],
    known: Iterable[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the rows of the data set as tracks of an index.

    `segments`, `downloads` and `sounds` are rows of those tables: where each was cut out of what, how long that is, and
    what it sounds like. `known` has further columns of each row of `dataset`.
    """
    cut = {row["path"]: row for row in segments}
    recordings = {row["path"]: row for row in downloads}
    heard = {row["sha256"]: {name: row[name] for name in SOUND_COLUMNS} for row in sounds}
    return [
        {name: row[name] for name in INDEX_KEYS.names if name in row}
        | heard.get(row["file_sha256"], {})
        | {
            "film": row["title"],
            "title": cut[row["path"]]["title"],
            "start_seconds": cut[row["path"]]["start_seconds"],
            "file_start_seconds": 0.0,
            "recording_seconds": _section_seconds(recordings.get(cut[row["path"]]["source"]), cut[row["path"]]),
        }
        | more
        for row, more in zip(dataset, known, strict=True)
    ]


def _section_seconds(recording: dict[str, Any] | None, segment: dict[str, Any]) -> float | None:
    """Return the length of the chapter in which a segment lies, of a recording without chapters its own.

    Chapters are those of `pipeline.segment.cut`: each ends where the next one begins.
    """
    if recording is None or recording["decoded_seconds"] is None:
        return None
    starts = sorted({0.0, *(max(0.0, chapter["start_seconds"]) for chapter in recording["chapters"])})
    after = bisect_right(starts, segment["start_seconds"] + segment["seconds"] / 2)
    end = starts[after] if after < len(starts) else recording["decoded_seconds"]
    return end - starts[after - 1]
