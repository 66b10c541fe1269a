"""`python -m pipeline leaderboard`: a table of variants and experiments."""

import argparse
import json
from pathlib import Path
from typing import Any

METRIC = "recall_at_10"


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "leaderboard",
        help="print a table of variants and experiments, best first",
        description="Print a table of the workspace's variants, from metrics/evaluate, and of the experiments in "
        "MLflow, best first. Metrics of other data, or of another pool of tracks, are in a separate table.",
    )
    parser.add_argument("--metric", default=METRIC, help="the metric to sort by (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.leaderboard.models import evaluated_models, require_metric
    from pipeline.apps.leaderboard.table import as_json, print_tables
    from pipeline.params import load_params

    models, note = evaluated_models(Path(), load_params(Path("params.yaml")))
    require_metric(options.metric, models)
    if options.json:
        print(json.dumps(as_json(models, options.metric), indent=2, ensure_ascii=False))
    else:
        print_tables(models, options.metric, note)
    return 0
