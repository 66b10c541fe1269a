"""`python -m pipeline push-model OWNER/REPO`: push the published model to the Hugging Face hub with a model card."""

import argparse
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    command = commands.add_parser(
        "push-model",
        help="publish a model on the Hugging Face hub",
        description="Publish models/published on the Hugging Face hub: weights, config, index of tracks (no audio), "
        "and a model card generated from the evaluation. Log in with `hf auth login`, or set HF_TOKEN.",
    )
    add = command.add_argument
    add("repository", metavar="OWNER/REPO", help="model on the hub; created if missing")
    add("--private", action="store_true", help="create a private model; refused if the model is already public")
    add("--message", metavar="TEXT", help="commit message")
    add("--license", metavar="ID", help="licence of weights and index, e.g. cc-by-4.0 (default: the repository's)")
    add("--out", metavar="FOLDER", type=Path, help="write the files to FOLDER without pushing them")
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
        print(f"{options.out}: check README.md, then run the same command without --out")
        return 0
    with TemporaryDirectory() as folder:
        prepare(root, address, corpus, options.license, Path(folder))
        url = push(Path(folder), address, options.private, options.message or "Publish the model")
    print(f"{url}\nto load it: pipeline.load({str(address)!r}), or recommend --model {address}")
    return 0
