"""`python -m pipeline push-model OWNER/REPO`: the published model goes to the Hugging Face hub, with a model card."""

import argparse
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def register(commands: Any) -> None:
    """Add the command to those of `python -m pipeline`."""
    command = commands.add_parser(
        "push-model",
        help="publish a model on the Hugging Face hub",
        description="Publish models/published on the Hugging Face hub: weights, config, index of tracks (no audio), "
        "and a model card written from the evaluation. Sign in with `hf auth login`, or set HF_TOKEN.",
    )
    add = command.add_argument
    add("repository", metavar="OWNER/REPO", help="a model of yours; it is made if need be")
    add("--private", action="store_true", help="only you see it; one that is public already is left alone")
    add("--message", metavar="TEXT", help="of the commit")
    add("--license", metavar="ID", help="of weights and index, e.g. cc-by-4.0; without it that of the repository")
    add("--out", metavar="FOLDER", type=Path, help="write what would be published to FOLDER and push nothing")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.published.push import prepare, push
    from pipeline.core.hub import SCHEME, hub_address
    from pipeline.params import load_params

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = Path()
    address = hub_address(SCHEME + options.repository.removeprefix(SCHEME))
    corpus = Path(load_params(root / "params.yaml").corpus.folder).name
    if options.out is not None:
        prepare(root, address, corpus, options.license, options.out)
        print(f"{options.out}: read README.md, then push without --out")
        return 0
    with TemporaryDirectory() as folder:
        prepare(root, address, corpus, options.license, Path(folder))
        url = push(Path(folder), address, options.private, options.message or "Publish the model")
    print(f"{url}\nload it anywhere: pipeline.load({str(address)!r}), or recommend --model {address}")
    return 0
