"""`python -m pipeline preset NAME`: merge `presets/NAME.yaml` into `params.yaml`, or undo the last one."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.apps.presets import apply_preset, preset_names, undo_preset


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "preset",
        help="merge presets/NAME.yaml into params.yaml, or undo it",
        description="Merge presets/NAME.yaml into params.yaml, keeping its comments, and print each change.",
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("name", metavar="NAME", nargs="?", help=f"one of {', '.join(preset_names(Path()))}")
    action.add_argument("--undo", action="store_true", help="restore the parameters that the last preset changed")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    changes = undo_preset(Path()) if options.undo else apply_preset(Path(), options.name)
    for key, before, after in changes:
        print(f"{key}: {_printed(before)} → {_printed(after)}")
    print(f"{len(changes)} parameters changed; `dvc repro` rebuilds what depends on them")
    if changes and not options.undo:
        print("To undo it: python -m pipeline preset --undo")
    return 0


def _printed(value: Any) -> Any:
    return "null" if value is None else value
