"""The models that are here, and which of them fits what is known of a film."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.apps.recommend.query import needs_of
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.files import sha256_of
from pipeline.model.store import CONFIG, WEIGHTS

PUBLISHED = "published"  # the folder of models/ that `publish` writes
AS_ASKED = "as asked"
METRIC = "recall_at_10"  # decides between models that need the same


@dataclass(frozen=True)
class Trained:
    """A trained variant."""

    name: str
    folder: Path
    needs: tuple[str, ...]  # of tags, plot, image
    recall: float | None  # recall at 10 of its evaluation; None: was not evaluated
    digest: str  # SHA-256 of its weights


def trained_models(root: Path) -> dict[str, Trained]:
    """Return the trained variants below `root` by name, the published one among them though it be alone.

    Raises `MissingFileError` when there is none.
    """
    folders = sorted(path.parent for path in (root / "models").glob(f"[!.]*/{CONFIG}"))
    found: dict[str, Trained] = {}
    for folder in sorted(folders, key=lambda folder: folder.name == PUBLISHED):  # that one last
        if (folder / WEIGHTS).is_file():
            model = _trained(root, folder)
            found.setdefault(model.name, model)
    if not found:
        raise MissingFileError(f"{root / 'models'} holds no trained model: run `dvc repro`")
    return found


def choose(models: dict[str, Trained], given: Collection[str], variant: str | None) -> tuple[Trained, str]:
    """Return the model for a query of which `given` (of tags, plot, image) is known, and why it is that one.

    It is `variant` where one is named; else the one that reads most of what is given, of several the one that ranked
    best in its evaluation. Raises `ModelError` when none can do with what is given.
    """
    asked = list(models.values()) if variant is None else [require(models, variant)]
    fitting = [model for model in asked if set(model.needs) <= set(given)]
    if not fitting:
        needed = "; ".join(f"{model.name}: {' and '.join(model.needs)}" for model in asked)
        what = " and ".join(given) or "nothing"
        raise ModelError(f"no model can do with what is given ({what}). What each needs: {needed}")
    best = max(fitting, key=lambda model: (len(model.needs), _recall(model)))
    return best, AS_ASKED if variant is not None else "of the trained models the one that reads most of what is given"


def choose_similar(models: dict[str, Trained], variant: str | None, preferred: str) -> tuple[Trained, str]:
    """Return the model that tells which tracks are alike, and why it is that one.

    It is `variant`, else `preferred`, else the one that ranked best. Raises `ModelError` for a variant that is not
    trained.
    """
    if variant is not None:
        return require(models, variant), AS_ASKED
    if preferred in models:
        return models[preferred], "the published variant"
    return max(models.values(), key=_recall), "of the trained models the one that ranked best in its evaluation"


def require(models: dict[str, Trained], variant: str) -> Trained:
    """Return the model of `variant`; raise `ModelError` naming those that there are."""
    if variant not in models:
        raise ModelError(f"variant: found {variant!r}, trained are {', '.join(models)}")
    return models[variant]


def _recall(model: Trained) -> float:
    return model.recall or 0.0


def _trained(root: Path, folder: Path) -> Trained:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        name, needs = config["variant"], needs_of(config["inputs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG} cannot be read ({error}): run `dvc repro`") from None
    name = name if folder.name == PUBLISHED else folder.name
    try:
        metrics = json.loads((root / f"metrics/evaluate/{name}.json").read_text(encoding="utf-8"))
        recall = float(metrics[METRIC])
    except (OSError, ValueError, KeyError, TypeError):
        recall = None
    return Trained(name, folder, needs, recall, sha256_of(folder / WEIGHTS))
