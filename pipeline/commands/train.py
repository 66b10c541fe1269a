"""`python -m pipeline train`: train variants in parallel."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.commands.repro import add_parallel


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "train",
        help="train variants in parallel, after the stages that they need",
        description="Bring the stages `train@VARIANT` and their dependencies up to date, with the same results as "
        "`dvc repro`.",
    )
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help="rows of `variants` (default: all)")
    add_parallel(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.parallel.repro import reproduce
    from pipeline.core.fields import load_sections
    from pipeline.core.variants import Variants, variant_of

    (variants,) = load_sections(Path("params.yaml"), {"variants": Variants})
    for name in options.variants:
        variant_of(variants, name)
    return reproduce(Path(), [f"train@{name}" for name in options.variants or variants], options.parallel)
