"""`python -m pipeline preset NAME`: merge `presets/NAME.yaml` into `params.yaml`, keeping its comments."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.apps.presets import apply_preset, preset_names


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "preset",
        help="merge presets/NAME.yaml into params.yaml",
        description="Merge presets/NAME.yaml into params.yaml, keeping its comments, and print each change.",
    )
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(preset_names(Path()))}")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    changes = apply_preset(Path(), options.name)
    for key, before, after in changes:
        print(f"{key}: {_printed(before)} → {_printed(after)}")
    print(f"{len(changes)} parameters changed; `dvc repro` rebuilds what depends on them")
    return 0


def _printed(value: Any) -> Any:
    return "null" if value is None else value
