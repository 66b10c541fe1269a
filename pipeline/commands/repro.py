"""`python -m pipeline repro`: `dvc repro` with several stages at once."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "repro",
        help="run `dvc repro` with several stages at once",
        description="Bring stages up to date, each as soon as its dependencies are, with the same results as "
        "`dvc repro`. After a failure, stages that do not depend on the failed one still run.",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="as for `dvc repro` (default: all)")
    add_parallel(parser)
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="as for `dvc repro`: do not rebuild missing files that are otherwise up to date",
    )
    parser.set_defaults(run=_run)


def add_parallel(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of stages at once."""
    parser.add_argument(
        "--parallel", type=_count, metavar="N", help="stages at once (default: one per core; on GPUs, one per GPU)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 1 or more")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.parallel.repro import reproduce

    return reproduce(Path(), options.stages, options.parallel, options.allow_missing)
