"""Indexes: tables of tracks with their embeddings by one model, complete for searching.

`publish` writes the index of the data set's tracks, `index` that of a folder of music. A track of a music library is a
part of a file, starting at `file_start_seconds`; tracks of the data set are whole files. Unknown texts are empty,
unknown numbers null.

`TrackColumns` defines the columns of a track for the table, JSON and CSV output, the HTTP API and the model in MLflow.
Two columns are in the table only: `peaks`, the waveform outline of the file at `path`, and `music_probabilities`, for
the tags that the metadata list as `music_tags`.
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

INDEX = "tracks.parquet"  # in the folder of the published model
REPEATED = "repeated"  # marks columns with few distinct texts
GROUP_ROWS = 8192  # per row group, which readers decode at once
PEAKS = "peaks"  # bytes of `pipeline.features.peaks`; null if unknown
PROBABILITIES = "music_probabilities"  # uint8 [tags], 255 for 1
MUSIC_TAGS = "music_tags"  # key of the metadata: the names of these tags
SOUND_COLUMNS = ("tempo", "key", "loudness", PEAKS)


class TrackColumns(BaseModel):
    """The columns of a track, in the order in which tables list them."""

    film: Annotated[str, Field(description="title of the film or album"), REPEATED]
    year: Annotated[int | None, Field(description="year of the film or album")]
    artist: Annotated[str, Field(description="performer of the recording"), REPEATED]
    title: Annotated[str, Field(description="title of the recording or of its chapter")]
    start_seconds: Annotated[float | None, Field(description="start of the track in its source recording")]
    file_start_seconds: Annotated[float | None, Field(description="start of the track in the file at `path`")]
    seconds: Annotated[float | None, Field(description="length of the track")]
    recording_seconds: Annotated[
        float | None, Field(description="length of the source recording or chapter, or of the file")
    ]
    tempo: Annotated[float | None, Field(description="estimated beats per minute; null without a clear beat")]
    key: Annotated[
        str, Field(description="estimated key, e.g. C major or F# minor; empty without a clear key"), REPEATED
    ]
    loudness: Annotated[float | None, Field(description="integrated loudness in LUFS; null for silence")]
    vocals: Annotated[
        float | None,
        Field(description="probability of vocals by the music encoder; null if it does not tag vocals"),
    ]
    fid: Annotated[str, Field(description="id of the film; empty for a music library"), REPEATED]
    number: Annotated[int | None, Field(description="number of the track within the film or file")]
    split: Annotated[
        str, Field(description="split of the data set: train, valid or eval; empty for a music library"), REPEATED
    ]
    url: Annotated[
        str, Field(description="URL of the film's article; {origin} stands for the corpus's own server"), REPEATED
    ]
    source_url: Annotated[str, Field(description="URL of the source recording, with {origin} likewise"), REPEATED]
    path: Annotated[str, Field(description="path of the file, relative to the library's folder, with /")]
    music_tags: Annotated[
        str,
        Field(description="tags by the music encoder, most likely first; empty if it does not tag"),
        REPEATED,
    ]


TYPES: dict[Any, pa.DataType] = {str: pa.string(), int | None: pa.int32(), float | None: pa.float64()}
INDEX_KEYS = pa.schema([(name, TYPES[field.annotation]) for name, field in TrackColumns.model_fields.items()])
REPEATED_COLUMNS = frozenset(name for name, field in TrackColumns.model_fields.items() if REPEATED in field.metadata)
STORED = INDEX_KEYS.append(pa.field(PEAKS, pa.binary()))
NOT_KNOWN = {field.name: "" if field.type == pa.string() else None for field in STORED}
FORMER_NAMES = {"film": "title", "title": "track", "split": "side"}  # in an index with a column `track`


def write_index(
    path: Path,
    tracks: Iterable[dict[str, Any]],
    vectors: np.ndarray,
    about: dict[str, Any],
    probabilities: np.ndarray | None = None,
) -> None:
    """Write `tracks` in order with their unit vectors [tracks, e] as a fixed-size list of float32.

    A track is a dict of columns of `INDEX_KEYS` and `PEAKS`; missing ones become empty or null. `about` is stored in
    the file's metadata: the variant (`variant`), the SHA-256 of its weights (`model`) and of other sources.
    `probabilities` are uint8 [tracks, tags], for the tags that `about` lists as `MUSIC_TAGS`.
    """
    rows = ({name: track.get(name, NOT_KNOWN[name]) for name in NOT_KNOWN} for track in tracks)
    groups = (
        (group, vectors[number * GROUP_ROWS :][: len(group)]) for number, group in enumerate(batches(rows, GROUP_ROWS))
    )
    beside = {} if probabilities is None else {PROBABILITIES: probabilities}
    write_features(path, STORED, groups, vectors.shape[1], np.float32, about, beside=beside)


def as_bytes(probabilities: Iterable[float]) -> np.ndarray:
    """Return probabilities as stored in an index, uint8 [tags]."""
    return np.rint(np.array([*probabilities]) * 255).astype(np.uint8)


def read_peaks(path: Path, row: int) -> bytes | None:
    """Return the peaks of the track in `row` of the index at `path`, or None if unknown.

    Only one column of one row group is read. Raises `MissingFileError` as `open_parquet` does, `IndexError` if the row
    does not exist.
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
    """Return the name of each column of `INDEX_KEYS` in an index of `schema`, or None if missing.

    Indexes of earlier versions have other names or fewer columns. Raises `ValueError` if the table is not an index: it
    has no paths, unknown columns or wrong types.
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
    """Return `count` values for a missing column: empty texts, or nulls."""
    return pa.repeat(pa.scalar(NOT_KNOWN[name], INDEX_KEYS.field(name).type), count)


def film_tracks(
    dataset: Iterable[dict[str, Any]],
    segments: Iterable[dict[str, Any]],
    downloads: Iterable[dict[str, Any]],
    sounds: Iterable[dict[str, Any]],
    known: Iterable[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the rows of the data set as tracks of an index.

    `segments`, `downloads` and `sounds` are rows of those tables: the cuts, the source recordings, and tempo, key and
    loudness. `known` has further columns for each row of `dataset`.
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
    """Return the length of the chapter with a segment, or of the recording if it has no chapters.

    Chapters are those of `pipeline.segment.cut`: each ends at the start of the next.
    """
    if recording is None or recording["decoded_seconds"] is None:
        return None
    starts = sorted({0.0, *(max(0.0, chapter["start_seconds"]) for chapter in recording["chapters"])})
    after = bisect_right(starts, segment["start_seconds"] + segment["seconds"] / 2)
    end = starts[after] if after < len(starts) else recording["decoded_seconds"]
    return end - starts[after - 1]
