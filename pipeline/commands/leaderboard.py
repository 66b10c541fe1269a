"""`python -m pipeline leaderboard`: variants and experiments side by side."""

import argparse
import json
from pathlib import Path
from typing import Any

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
