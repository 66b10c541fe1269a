"""The tables between stages: Parquet files with a fixed schema, rows sorted by their keys.

`fid` is a film's three-letter id. Times are in seconds, sizes in bytes, digests are hexadecimal SHA-256. `status` is
`ok` or one word for the kind of failure, and `reason` a sentence (empty if ok). Unknown strings are empty, unknown
numbers null.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.files import remove_strays, whole_file

DICTIONARY_BYTES = 1 << 28  # with Parquet's default of 1 MB, plots of a large corpus would be stored once per row

OUTCOME = [("status", pa.string()), ("reason", pa.string())]

CHAPTER = pa.struct([("title", pa.string()), ("start_seconds", pa.float64()), ("end_seconds", pa.float64())])

PAGES = pa.schema(  # one row per film of meta.json
    [
        ("fid", pa.string()),
        *OUTCOME,
        ("url", pa.string()),  # as in meta.json
        ("url_reached", pa.string()),  # after redirects; the loopback server is written {origin}
        ("redirects", pa.list_(pa.string())),  # the URLs that redirected, in order
        ("path", pa.string()),  # data/pages/AAA.html.gz
        ("charset", pa.string()),  # from the response header
        ("revision", pa.int64()),
        ("etag", pa.string()),
        ("last_modified", pa.string()),  # from the response header
        ("bytes", pa.int64()),  # of the received page, decompressed
        ("sha256", pa.string()),  # of the received page, decompressed
        ("fetched_at", pa.string()),  # ISO 8601, UTC; "" for the corpus's own site, so that fresh runs are identical
        ("poster_status", pa.string()),  # ok, none (the page has no poster) or one word for the kind of failure
        ("poster_reason", pa.string()),
        ("poster_url", pa.string()),
        ("poster_page", pa.string()),  # the file's description page: author, licence
        ("poster_path", pa.string()),  # data/posters/AAA.jpg
        ("poster_etag", pa.string()),
        ("poster_sha256", pa.string()),
    ]
)
FILMS = pa.schema(  # one row per film of meta.json
    [
        ("fid", pa.string()),
        *OUTCOME,
        ("title", pa.string()),
        ("year", pa.int32()),
        ("tags", pa.string()),  # words joined by single spaces, or categories joined by ", " (`pipeline.parse.tags`)
        ("categories", pa.list_(pa.string())),
        ("plot", pa.string()),  # paragraphs joined by newlines
        ("image", pa.string()),  # data/image/AAA.jpg
        ("placeholders", pa.list_(pa.string())),  # which of plot, tags and image are placeholders (`parse.missing`)
        ("poster_url", pa.string()),
        ("poster_page", pa.string()),  # the file's description page: author, licence
        ("url", pa.string()),
    ]
)
DOWNLOADS = pa.schema(  # one row per URL of a film, or per recording of a playlist or a search
    [
        ("fid", pa.string()),
        ("number", pa.int32()),  # position in the film's `soundtrack`
        ("entry", pa.int32()),  # position in the playlist or the search results; null for the URL of a recording
        *OUTCOME,
        ("url", pa.string()),  # as in meta.json
        ("video_url", pa.string()),  # of the recording itself
        ("path", pa.string()),  # data/downloads/AAA/000.webm, or 000-01.webm for a playlist
        ("title", pa.string()),
        ("expected_seconds", pa.float64()),
        ("decoded_seconds", pa.float64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("chapters", pa.list_(CHAPTER)),  # of an album in one recording; empty if the site lists none
    ]
)
SEGMENTS = pa.schema(  # one row per segment, kept or not, and one per recording without segments
    [
        ("fid", pa.string()),
        ("number", pa.int32()),  # in the film's folder; null unless ok
        *OUTCOME,
        ("path", pa.string()),  # data/audio/A/A/A/0.mp3
        ("source", pa.string()),  # path of the recording
        ("source_url", pa.string()),  # of the recording itself, not of a playlist
        ("title", pa.string()),  # of the chapter, else of the recording
        ("start_seconds", pa.float64()),  # in the recording
        ("seconds", pa.float64()),
        ("loudness_lufs", pa.float64()),  # integrated, ITU-R BS.1770; null below its gate and under 0.4 s
        ("peak_dbfs", pa.float64()),  # of the samples; null for digital silence
        ("sha256", pa.string()),  # of the decoded samples
        ("file_sha256", pa.string()),  # of the file at `path`
        ("landmarks", pa.string()),  # of its acoustic fingerprint (`pipeline.core.sharing`)
    ]
)
DATASET = pa.schema(  # one row per segment of a usable film, in the order train, valid, eval; fid; number
    [
        ("fid", pa.string()),
        ("split", pa.string()),  # train, valid or eval
        ("compared", pa.bool_()),  # whether the film has the inputs of every variant: the queries of the evaluation
        ("number", pa.int32()),
        ("path", pa.string()),
        ("seconds", pa.float64()),
        ("sha256", pa.string()),
        ("file_sha256", pa.string()),
        ("title", pa.string()),
        ("year", pa.int32()),
        ("tags", pa.string()),
        ("plot", pa.string()),
        ("image", pa.string()),
        ("url", pa.string()),
        ("source_url", pa.string()),
        ("recording", pa.string()),  # shared by segments, of any film, from the same recording
        ("sound", pa.string()),  # shared by segments that sound the same
    ]
)
SOUND = pa.schema(  # one row per track, in the order of the data set
    [
        ("fid", pa.string()),
        ("number", pa.int32()),
        ("sha256", pa.string()),  # of the file
        ("tempo", pa.float64()),  # beats per minute; null without a clear beat
        ("key", pa.string()),  # C major, F# minor; empty without a clear key
        ("loudness", pa.float64()),  # LUFS; null for silence
        ("peaks", pa.binary()),  # of the file, see `pipeline.features.peaks`
    ]
)


def write_table(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Write `rows` atomically; each row has every column of `schema`."""
    table = pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)
    remove_strays(path)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", dictionary_pagesize_limit=DICTIONARY_BYTES)


def read_table(path: Path, schema: pa.Schema, stage: str, without: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of `path`, an output of `stage`, without the columns `without`, which are not loaded.

    Raises `MissingFileError` if it is missing or not of `schema`.
    """
    names = [name for name in schema.names if name not in without]
    texts = [name for name in names if schema.field(name).type == pa.string()]
    try:
        if not pq.read_schema(path).equals(schema):
            raise MissingFileError(f"{path} has other columns than expected: remove it and run `dvc repro {stage}`")
        table = pq.read_table(path, columns=names, read_dictionary=texts)
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro {stage}`") from None
    except pa.ArrowInvalid as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and run `dvc repro {stage}`") from None
    columns = [_values(table.column(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column; equal texts share one object, such as a film's plot in all its rows."""
    if not pa.types.is_dictionary(column.type):
        return column.to_pylist()
    values: list[str | None] = []
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        values += [None if index is None else words[index] for index in chunk.indices.to_pylist()]
    return values


def digest_of_rows(rows: Iterable[dict[str, Any]]) -> str:
    """Return the hexadecimal SHA-256 of rows of the same columns, in their order.

    Each row is hashed by its differences from the row before: a plot is hashed once for all tracks of its film.
    """
    digest = hashlib.sha256()
    before: dict[str, Any] = {}
    for row in rows:
        changed = {name: value for name, value in row.items() if name not in before or before[name] != value}
        digest.update(json.dumps(changed, sort_keys=True).encode() + b"\n")
        before = row
    return digest.hexdigest()


def count_by_status(rows: Iterable[dict[str, Any]]) -> str:
    """Return e.g. `98 ok, 2 not_found, 1 no_plot`: ok first, then by count."""
    counts = Counter(row["status"] for row in rows)
    order = sorted(counts, key=lambda status: (status != "ok", -counts[status], status))
    return ", ".join(f"{counts[status]} {status}" for status in order) or "nothing"


def require_success(rows: list[dict[str, Any]], min_success_rate: float, stage: str, what: str) -> None:
    """Raise `StageError` if too few of `rows` are ok, with the counts by status and an example of each failure."""
    succeeded = sum(row["status"] == "ok" for row in rows)
    if rows and succeeded and succeeded >= min_success_rate * len(rows):
        return
    examples = {row["status"]: f"{row['fid']}: {row['reason']}" for row in reversed(rows) if row["status"] != "ok"}
    lines = [f"{stage}: {succeeded} of {len(rows)} {what} succeeded ({count_by_status(rows)})."]
    lines += [f"  {status}, e.g. {example}" for status, example in sorted(examples.items())]
    lines.append(f"Fix the causes and run again, or lower {stage}.min_success_rate ({min_success_rate:g}).")
    raise StageError("\n".join(lines))
