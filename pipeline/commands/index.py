"""`python -m pipeline index`: index a folder of music for search."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ModelError

if TYPE_CHECKING:
    from pipeline.apps.recommend.trained import Model

PUBLISHED = "a published model: hf://OWNER/REPO, or its folder"
ZERO_SHOT = "a joint text-music encoder instead of trained models: a folder, or e.g. laion/clap-htsat-unfused"


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    command = commands.add_parser(
        "index",
        help="index a folder of your own music",
        description="Embed the music in a folder and its subfolders. A later run reads new and changed files only, and "
        "resumes a stopped run.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path, help="your music; never written to")
    command.add_argument("--out", metavar="LIBRARY", type=Path, required=True, help="the folder to write the index to")
    command.add_argument("--rescan", action="store_true", help="read all files again, even those that look unchanged")
    models = command.add_mutually_exclusive_group()
    models.add_argument("--variants", metavar="NAMES", help="models, e.g. Ta,ImTa (default: all trained models)")
    models.add_argument("--model", metavar="MODEL", help=PUBLISHED)
    models.add_argument("--zero-shot", metavar="MODEL", help=ZERO_SHOT)
    command.set_defaults(run=run)


def require_library(zero_shot: str | None, library: Any) -> None:
    """Raise `ModelError` for a joint encoder without a library: it does not index the data set."""
    if zero_shot is not None and not library:
        raise ModelError("--zero-shot: requires --library with a folder of your own music, or the index of one")


def run(options: argparse.Namespace) -> int:
    """Index the folder and print the report."""
    from pipeline.apps.library.indexing import update_library
    from pipeline.apps.library.report import report
    from pipeline.core.machine import choose_device
    from pipeline.params import load_params

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = Path()
    params = load_params(root / "params.yaml")
    variants = None if options.variants is None else [name.strip() for name in options.variants.split(",")]
    alone: Model | None = None
    if options.zero_shot is not None:
        from pipeline.apps.recommend.zero_shot import open_zero_shot

        alone = open_zero_shot(options.zero_shot, params, choose_device(params.machine.device))
    if options.model is not None:
        from pipeline.apps.published.load import open_published

        (alone,) = open_published(options.model, params.machine.device).trained.values()
    summary = update_library(root, params, options.folder, options.out, variants, alone, options.rescan)
    print("\n".join(report(summary, options.out)))
    return 0
