"""`python -m pipeline index`: one's own music made ready to be searched."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to those of `python -m pipeline`."""
    command = commands.add_parser(
        "index",
        help="make a library of your own music for `recommend` and the web page: index FOLDER --out LIBRARY",
        description="Embed the music in a folder and its sub-folders. Run again, it reads what is new or changed, and "
        "goes on where a run was stopped.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path, help="your music; nothing is written into it")
    command.add_argument("--out", metavar="LIBRARY", type=Path, required=True, help="a folder for what is made of it")
    command.add_argument("--variants", metavar="NAMES", help="models, e.g. Ta,ImTa; without it all that are trained")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Index once, and say what came out."""
    from pipeline.apps.library.indexing import update_library
    from pipeline.apps.library.report import report
    from pipeline.params import load_params

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = Path()
    params = load_params(root / "params.yaml")
    variants = None if options.variants is None else [name.strip() for name in options.variants.split(",")]
    summary = update_library(root, params, options.folder, options.out, variants)
    print("\n".join(report(summary, options.out)))
    return 0
