"""The table of rankings: one row per film of the test set.

fid, title            the query
relevant, candidates  numbers of own and of all candidates, segments or recordings by `evaluate.unit`
ranks                 of its own candidates, ascending, 1 = best; expected ranks for ties, possibly x.5
best_rank             the first of `ranks`, expected for ties
top_paths, top_scores the top candidates, at least max(evaluate.ks) and ten, and their cosines, best first; the path of
                      a recording is that of its best segment
hit_rate_at_1 …       one column per metric of `pipeline.evaluate.metrics`
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
    """Write `rows` of at least one film atomically; keys other than `COLUMNS` are metrics."""
    fixed = [name for name, _ in COLUMNS]
    metrics = [(name, pa.float64()) for name in rows[0] if name not in fixed]
    write_table(path, rows, pa.schema([*COLUMNS, *metrics]))


def read_rankings(path: Path) -> pandas.DataFrame:
    """Return the table at `path`, in the order of the data set; raise `MissingFileError` if missing or damaged."""
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
