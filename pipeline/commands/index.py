"""`python -m pipeline index`: one's own music made ready to be searched."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ModelError

if TYPE_CHECKING:
    from pipeline.apps.recommend.trained import Model

PUBLISHED = "a published model: hf://OWNER/REPO, or its folder"
ZERO_SHOT = "a joint encoder of text and music instead of trained models: a folder, or e.g. laion/clap-htsat-unfused"


def register(commands: Any) -> None:
    """Add the command to those of `python -m pipeline`."""
    command = commands.add_parser(
        "index",
        help="index a folder of your own music",
        description="Embed the music in a folder and its sub-folders. Run again, it reads what is new or changed, and "
        "goes on where a run was stopped.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path, help="your music; nothing is written into it")
    command.add_argument("--out", metavar="LIBRARY", type=Path, required=True, help="a folder for what is made of it")
    command.add_argument("--rescan", action="store_true", help="read all files again, also those that look unchanged")
    models = command.add_mutually_exclusive_group()
    models.add_argument("--variants", metavar="NAMES", help="models, e.g. Ta,ImTa; without it all that are trained")
    models.add_argument("--model", metavar="MODEL", help=PUBLISHED)
    models.add_argument("--zero-shot", metavar="MODEL", help=ZERO_SHOT)
    command.set_defaults(run=run)


def require_library(zero_shot: str | None, library: Any) -> None:
    """Raise `ModelError` where a joint encoder has no music to search: it never reads the data set's."""
    if zero_shot is not None and not library:
        raise ModelError("--zero-shot: it searches your own music; name it, or what `index` made of it, with --library")


def run(options: argparse.Namespace) -> int:
    """Index once, and say what came out."""
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
