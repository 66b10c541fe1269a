"""The headline: the published variant's main metrics in a file with a stable name, for DVC to show and compare.

It has as many as fit on a screen with `dvc metrics show --md` and `dvc exp show`; all metrics, with intervals, are in
metrics/evaluate/<variant>.json.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.core.errors import MissingFileError

CUT = 10  # of recall, or the nearest of `evaluate.ks`
SHOWN = ("variant", "pool", "queries", "candidates", "recall_at_{k}", "mrr", "median_rank")


def headline_of(path: Path) -> dict[str, Any]:
    """Return the metrics `SHOWN` from the metrics file at `path`."""
    advice = f"run `dvc repro evaluate@{path.stem}`"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        cuts = [int(name.removeprefix("recall_at_")) for name in metrics if name.startswith("recall_at_")]
        nearest = min(cuts, key=lambda k: abs(k - CUT))
        return {name: metrics[name] for name in (shown.format(k=nearest) for shown in SHOWN)}
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except (ValueError, KeyError) as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and {advice}") from None
