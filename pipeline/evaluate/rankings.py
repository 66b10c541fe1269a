"""The table of rankings: one row per film of the evaluation split.

fid, title            the query
relevant, candidates  how many of `evaluate.unit`, segments or recordings, are the film's own, and how many were ranked
ranks                 of its own ones, ascending, 1 = best; the expected one of a tie, which may be x.5
best_rank             the first of `ranks`, expected in a tie
top_paths, top_scores the candidates on top, at least max(evaluate.ks) and ten, and their cosines, best first; the path
                      of a recording is that of its best segment
hit_rate_at_1 …       one column per metric of one query, as `pipeline.evaluate.metrics` names them
"""

from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import MissingFileError
from pipeline.core.tables import write_table
from pipeline.evaluate.metrics import BEST_RANK

COLUMNS = (
    ("fid", pa.string()),
    ("title", pa.string()),
    ("relevant", pa.int32()),
    ("candidates", pa.int32()),
    ("ranks", pa.list_(pa.float64())),
    (BEST_RANK, pa.float64()),
    ("top_paths", pa.list_(pa.string())),
    ("top_scores", pa.list_(pa.float32())),
)


def write_rankings(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write `rows` of at least one film whole; what is not one of `COLUMNS` is a metric."""
    fixed = [name for name, _ in COLUMNS]
    metrics = [(name, pa.float64()) for name in rows[0] if name not in fixed]
    write_table(path, rows, pa.schema([*COLUMNS, *metrics]))


def read_rankings(path: Path) -> pandas.DataFrame:
    """Return the table at `path`, in the order of the data set; raise `MissingFileError` when missing or damaged."""
    advice = f"run `dvc repro evaluate@{path.stem}`"
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except pa.ArrowInvalid as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and {advice}") from None
    if table.schema.names[: len(COLUMNS)] != [name for name, _ in COLUMNS]:
        raise MissingFileError(f"{path} is not a table of rankings: remove it and {advice}")
    return table.to_pandas()
