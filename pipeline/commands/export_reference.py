"""`python -m pipeline export-reference MODEL_FOLDER --out FILE`: convert a model into a checkpoint of the reference."""

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "export-reference",
        help="convert a model into a checkpoint of the reference",
        description="Write a model as a checkpoint for the reference's code.",
    )
    parser.add_argument("folder", metavar="MODEL_FOLDER", type=Path, help="e.g. models/published")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the .pth file to write")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.checkpoint.exporting import export_reference

    count = export_reference(options.folder, options.out)
    print(f"{options.out}: {count} tensors of {options.folder}, with the reference's names")
    return 0
