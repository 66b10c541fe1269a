"""`python -m pipeline leaderboard`: variants and experiments side by side."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from pipeline.apps.leaderboard.entries import Entry, from_files, from_runs
from pipeline.core.errors import PipelineError
from pipeline.params import Params, load_params
from pipeline.tracking.store import EXPERIMENT, URI, connected, explained, repository

METRIC = "recall_at_10"


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "leaderboard",
        help="print variants and experiments side by side",
        description="Print the workspace's variants, out of metrics/evaluate, and the experiments that MLflow holds, "
        "best first. Figures of other data, or of another pool of tracks, stand in a table of their own.",
    )
    parser.add_argument("--metric", default=METRIC, help="sorts the table (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=_run)


def entries_of(root: Path, params: Params) -> tuple[list[Entry], str]:
    """Return all entries, and what there is to say of MLflow."""
    entries, digests = from_files(root, params.variants)
    if not (os.environ.get(URI) or (repository(root) / "mlflow.db").is_file()):
        return entries, "MLflow has no runs here: only the workspace's files are shown."
    try:
        with explained():
            runs = connected(root).search_runs(
                experiment_names=[EXPERIMENT], order_by=["attributes.start_time DESC"], output_format="list"
            )
    except PipelineError as error:
        return entries, f"{error}\nOnly the workspace's files are shown."
    found, without = from_runs(runs, params, digests)
    said = f"MLflow: {len(runs)} runs, {len(found)} evaluated models that are not the workspace's"
    return entries + found, said + (f"; {without} not evaluated." if without else ".")


def require_metric(name: str, entries: list[Entry]) -> None:
    """Raise `PipelineError` when no entry has an average called `name`."""
    allowed = [key.partition("/")[2] for key in entries[0].metrics if key.startswith("ci95_low/")]
    if name not in allowed:
        raise PipelineError(f"--metric: found {name!r}, allowed are {', '.join(sorted(allowed))}")


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.leaderboard.table import as_json, print_tables

    entries, said = entries_of(Path(), load_params(Path("params.yaml")))
    if not entries:
        raise PipelineError("nothing has been evaluated: run `dvc repro`")
    require_metric(options.metric, entries)
    if options.json:
        print(json.dumps(as_json(entries, options.metric), indent=2, ensure_ascii=False))
    else:
        print_tables(entries, options.metric, said)
    return 0
