"""`python -m pipeline sync-mlflow`: log from files what MLflow lacks."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "sync-mlflow",
        help="log runs of models that DVC took out of its cache",
        description="Log to MLflow, from files, each variant's model that no run there has trained, figures that its "
        "run lacks, and the published model. What is there already is left alone.",
    )
    parser.add_argument(
        "--rev", metavar="REV", help="take the files of this commit or experiment (default: those of the workspace)"
    )
    parser.set_defaults(run=lambda options: run(Path(), options.rev))


def run(root: Path, revision: str | None) -> int:
    """Log what is missing, of the workspace or of `revision`, and say so; return the exit status."""
    from pipeline.apps.sync.restored import NOTHING, sync  # and with it MLflow and PyTorch, which take seconds
    from pipeline.apps.sync.revision import files_of, tags_of
    from pipeline.tracking.store import connected, explained

    with explained():
        mlflow = connected(root)
        if revision is None:
            outcomes, registered = sync(mlflow, root, root, {}), _registered(root, mlflow)
        else:
            with files_of(root, revision) as source:
                outcomes, registered = sync(mlflow, root, source, tags_of(root, revision)), None
    wide = max(len(outcome.variant) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.variant:<{wide}}  {outcome.did:<13}  {outcome.run}  {outcome.note}".rstrip())
    if registered is not None:
        print(registered[0])
    if all(outcome.did in NOTHING for outcome in outcomes) and not (registered and registered[1]):
        print("There was nothing to log.")
    return 0


def _registered(root: Path, mlflow: ModuleType) -> tuple[str, bool] | None:
    """Return what to say of the published model's version, and whether it is new; None when nothing is published."""
    from pipeline.publish.registry import ALIAS, NAME, registered
    from pipeline.store.index import INDEX

    folder, headline = root / "models/published", root / "metrics/retrieval.json"
    if not ((folder / INDEX).is_file() and headline.is_file()):
        return None
    version, is_new = registered(root, mlflow, folder, json.loads(headline.read_text(encoding="utf-8")))
    return f"models:/{NAME}@{ALIAS} is version {version}{'' if is_new else ', as before'}", is_new
