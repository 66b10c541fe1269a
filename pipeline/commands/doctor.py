"""`python -m pipeline doctor`: check the requirements of `dvc repro`, with a remedy for each that is missing."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "doctor",
        help="check the requirements of `dvc repro`",
        description="Check the requirements of `dvc repro`, and print a remedy for each that is missing.",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.doctor.diagnose import diagnose

    return diagnose(Path())
