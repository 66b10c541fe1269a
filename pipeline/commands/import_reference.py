"""`python -m pipeline import-reference SOURCE`: convert published checkpoints into models, optionally evaluate them."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.apps.checkpoint.published import IMAGE, TEXT


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "import-reference",
        help="convert published checkpoints into models",
        description="Convert each published checkpoint of a source into a model's folder. The variant of a file is "
        "inferred from its name, or else from its tensors.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="hf://OWNER/REPO[@REVISION] on the Hugging Face hub, a folder, or a file"
    )
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="FILE=VARIANT",
        help="variant of a file, one of `variants` in params.yaml, if it cannot be inferred; repeatable",
    )
    parser.add_argument("--variant", help="variant of a source that is one file")
    encoder = "folder, or model on the Hugging Face hub, with the {}'s configuration and {} (default: %(default)s)"
    parser.add_argument("--text", default=TEXT, help=encoder.format("text encoder", "tokenizer"))
    parser.add_argument("--image", default=IMAGE, help=encoder.format("image encoder", "preprocessor"))
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        help="output folder, with one folder per variant (default: models); for a source that is one file the model's "
        "own folder (default: models/VARIANT)",
    )
    parser.add_argument(
        "--reference-inference",
        action="store_true",
        help="skip the fusion layer for queries of one input, as the reference does at inference",
    )
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="also set params.yaml to the checkpoints' features, compute them, evaluate the models and compare them",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.checkpoint.files import is_candidate, open_source
    from pipeline.core.errors import ParamsError
    from pipeline.params import load_params

    if options.evaluate and options.out:
        raise ParamsError("--out: not allowed with --evaluate, which evaluates the models in models/; omit one of them")
    params, source = load_params(Path("params.yaml")), open_source(options.source)
    if options.variant and not source.is_file:
        raise ParamsError("--variant: allowed for a single file only; for several use --file FILE=VARIANT")
    # slow imports: torch, transformers
    from pipeline.apps.checkpoint.collection import Encoders, import_all, print_entries, require_imported, usable
    from pipeline.apps.checkpoint.deciding import decide, named_by_user

    named = named_by_user(options.file, source, params.variants)
    if options.variant:
        params.row(options.variant)
        named = dict.fromkeys(source.files, options.variant)
    candidates = [size for file, size in source.files.items() if file in named or is_candidate(file)]
    print(f"{source.name}: {len(candidates)} possible checkpoints, {sum(candidates) / 2**30:.2f} GiB")
    entries = decide(source, named, params.variants, options.text)
    if options.evaluate and usable(entries):
        from pipeline.apps.checkpoint.evaluating import announce

        announce(Path(), usable(entries))
    encoders = Encoders(options.text, options.image, fuse_single=not options.reference_inference)
    entries = import_all(entries, source, options.out, params.variants, encoders)
    if len(entries) > 1 or usable(entries):
        print_entries(entries, source, params.variants)
    require_imported(entries)
    if options.evaluate:
        from pipeline.apps.checkpoint.evaluating import evaluate_imported

        return evaluate_imported(Path(), usable(entries))
    print(
        "These models were trained on spectrograms of the real part only, with settings other than those of "
        "params.yaml.\nTo set params.yaml accordingly and evaluate the models, run the same command with --evaluate."
    )
    return 0
