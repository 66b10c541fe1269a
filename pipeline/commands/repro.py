"""`python -m pipeline repro`: what `dvc repro` does, several stages at once."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "repro",
        help="what `dvc repro` does, several stages at once",
        description="Bring stages up to date, each as soon as all that it depends on is, and leave what `dvc repro` "
        "leaves. What fails does not keep the rest from running.",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="as for `dvc repro` (default: all)")
    add_parallel(parser)
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="as for `dvc repro`: files that are missing, but otherwise up to date, are not made anew",
    )
    parser.set_defaults(run=_run)


def add_parallel(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many stages run at once."""
    parser.add_argument(
        "--parallel", type=_count, metavar="N", help="stages at once (default: one per core; on GPUs, one per GPU)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, a whole number from 1 on is allowed")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.parallel.repro import reproduce

    return reproduce(Path(), options.stages, options.parallel, options.allow_missing)
