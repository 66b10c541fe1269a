"""`python -m pipeline import-reference CHECKPOINT --variant NAME`: a published checkpoint becomes a model."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.apps.checkpoint.published import IMAGE, TEXT


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "import-reference",
        help="make a model of a published checkpoint",
        description="Make a model's folder of a published checkpoint.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="a .pth file")
    parser.add_argument("--variant", required=True, help="what it was trained for: a row of `variants` in params.yaml")
    encoder = "folder, or model of the Hugging Face hub, with the {}'s configuration and {} (default: %(default)s)"
    parser.add_argument("--text", default=TEXT, help=encoder.format("text encoder", "tokenizer"))
    parser.add_argument("--image", default=IMAGE, help=encoder.format("image encoder", "preprocessor"))
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="folder to write (default: models/VARIANT)")
    parser.add_argument(
        "--reference-inference",
        action="store_true",
        help="let a query of one input skip the fusion layer, as the reference does outside of training",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.params import load_params

    inputs = load_params(Path("params.yaml")).row(options.variant).inputs
    from pipeline.apps.checkpoint.importing import import_reference  # torch and transformers, which take seconds

    home = Path("models") / options.variant
    folder = options.out or home
    count = import_reference(
        options.checkpoint,
        folder,
        options.variant,
        inputs,
        options.text,
        options.image,
        fuse_single=not options.reference_inference,
    )
    print(f"{folder}: M-{options.variant} of {options.checkpoint}, {count} tensors")
    if folder.resolve() != home.resolve():
        print(f"The stages read {home}: to evaluate the model here, write it there.")
    print(
        "It was trained on spectrograms of other settings than params.yaml comes with, and of the real part alone.\n"
        "To evaluate it here:\n"
        "  python -m pipeline preset reference-checkpoint   # those settings\n"
        "  dvc repro features\n"
        f"  dvc commit -f train@{options.variant}   # {home} is that stage's output, which is not to be trained anew\n"
        "  dvc repro   # evaluates the model, compares and publishes it"
    )
    return 0
