"""`python -m pipeline doctor`: whether what `dvc repro` needs is there, and what to do where it is not."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "doctor", help="check whether what `dvc repro` needs is there, and what to do where it is not"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.doctor.diagnose import diagnose

    return diagnose(Path())
