"""`python -m pipeline sync-mlflow`: log runs that MLflow lacks, from files."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "sync-mlflow",
        help="log the runs of models restored from DVC's cache to MLflow",
        description="Log to MLflow, from files: models of variants that have no run, metrics that a run lacks, and "
        "the published model. Existing records are not changed.",
    )
    parser.add_argument(
        "--rev", metavar="REV", help="use the files of this commit or experiment (default: the workspace)"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.sync.restored import UNCHANGED, sync_repository  # MLflow and PyTorch, which take seconds

    outcomes, registration = sync_repository(Path(), options.rev)
    width = max(len(outcome.variant) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.variant:<{width}}  {outcome.action:<13}  {outcome.run}  {outcome.note}".rstrip())
    if registration is not None:
        before = "" if registration.is_new else " (unchanged)"
        print(f"models:/{registration.name} is version {registration.version}{before}")
    is_new = registration is not None and registration.is_new
    if all(outcome.action in UNCHANGED for outcome in outcomes) and not is_new:
        print("nothing to log")
    return 0
