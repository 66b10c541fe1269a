"""`python -m pipeline sync-mlflow`: log from files what MLflow lacks."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "sync-mlflow",
        help="log runs of models that DVC took out of its cache",
        description="Log to MLflow, from files, each variant's model that no run there has trained, figures that its "
        "run lacks, and the published model. What is there already is left alone.",
    )
    parser.add_argument(
        "--rev", metavar="REV", help="take the files of this commit or experiment (default: those of the workspace)"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.sync.restored import UNCHANGED, sync_repository  # MLflow and PyTorch, which take seconds

    outcomes, registration = sync_repository(Path(), options.rev)
    width = max(len(outcome.variant) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.variant:<{width}}  {outcome.action:<13}  {outcome.run}  {outcome.note}".rstrip())
    if registration is not None:
        before = "" if registration.is_new else ", as before"
        print(f"models:/{registration.name} is version {registration.version}{before}")
    is_new = registration is not None and registration.is_new
    if all(outcome.action in UNCHANGED for outcome in outcomes) and not is_new:
        print("There was nothing to log.")
    return 0
