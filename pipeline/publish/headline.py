"""The headline: the published variant's figures in one file of a stable name, for `dvc metrics diff` to compare."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import MissingFileError

LEFT_OUT = ("ci95", "chance", "reference", "dataset", "model")  # a row each would drown the headline


def headline_of(path: Path) -> dict[str, Any]:
    """Return variant, queries, candidates and the averages over films out of the metrics file at `path`."""
    advice = f"run `dvc repro evaluate@{path.stem}`"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and {advice}") from None
    return {name: value for name, value in metrics.items() if name not in LEFT_OUT}
