"""The trained models, and the choice of the best one for the parts of a query."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline.apps.recommend.formats import joined
from pipeline.apps.recommend.zero_shot import ZeroShot
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.files import sha256_of
from pipeline.core.variants import FILM_PARTS
from pipeline.model.store import CONFIG, WEIGHTS
from pipeline.store.inputs import needs_of

PUBLISHED = "published"  # the folder of models/ that `publish` writes
NAMED = {"tags": "tags", "plot": "a plot", "image": "an image"}  # in messages
AS_ASKED = "as requested"
METRIC = "recall_at_10"  # decides between models that fit the input
HIT_RATE = "hit_rate_at_10"
WAY = ("dataset", "pool", "unit", "paragraphs")  # of a metrics file; figures are comparable only if these are equal
BEST = "it ranks best on the test films"
ONLY = "it is the only model"
READS_MOST = "it reads most of the input; there are no comparable figures"


@dataclass(frozen=True)
class Figures:
    """Metrics of a model on the test set."""

    recall: float  # at 10: mean share of a film's own tracks in the top 10
    hit_rate: float | None = None  # at 10: share of films with at least one of their own tracks in the top 10
    chance_hit_rate: float | None = None  # the same for a random ranking
    films: int | None = None  # queries
    tracks: int | None = None  # candidates

    @property
    def in_words(self) -> str:
        """The hit rate and that of chance as a clause; empty if unknown."""
        if self.hit_rate is None or self.films is None:
            return ""
        chance = "" if self.chance_hit_rate is None else f" (by chance: {self.chance_hit_rate:.0%})"
        among = "" if self.tracks is None else f" of {self.tracks:,} tracks"
        return (
            f"for {self.hit_rate:.0%} of {self.films:,} test films, the top 10{among} contains one of the film's own "
            f"tracks{chance}"
        )


@dataclass(frozen=True)
class Trained:
    """A trained variant."""

    name: str
    folder: Path
    needs: tuple[str, ...]  # of tags, plot, image
    answers_subsets: bool  # whether any one of `needs` is enough
    figures: Figures | None  # on the test set; None: not evaluated with these weights
    subsets: dict[frozenset[str], Figures]  # the same for queries with only some of `needs`, if it answers subsets
    way: tuple[str, ...]  # how it was evaluated: the values of `WAY`; empty if it was not
    digest: str  # SHA-256 of its weights
    option: str = ""  # the command-line option that selects it; empty for a model below `models`

    def fits(self, given: Collection[str]) -> bool:
        """Return whether the parts `given` are enough for it."""
        return bool(set(self.needs) & set(given)) if self.answers_subsets else set(self.needs) <= set(given)

    def reads(self, given: Collection[str]) -> tuple[str, ...]:
        """Return the parts of `given` that it reads."""
        return tuple(part for part in self.needs if part in given)

    def figures_of(self, given: Collection[str]) -> Figures | None:
        """Return its figures for queries with the parts `given`."""
        return self.subsets.get(frozenset(self.reads(given)), self.figures)

    @property
    def label(self) -> str:
        """Name in messages."""
        return f"M-{self.name}"


Model = Trained | ZeroShot


def trained_models(root: Path) -> dict[str, Trained]:
    """Return the trained variants below `root` by name, including a published model without its variant's folder.

    Raises `MissingFileError` if there is none.
    """
    folders = sorted(path.parent for path in (root / "models").glob(f"[!.]*/{CONFIG}"))
    found: dict[str, Trained] = {}
    for folder in sorted(folders, key=lambda folder: folder.name == PUBLISHED):  # published last
        if (folder / WEIGHTS).is_file():
            model = _trained(root, folder)
            found.setdefault(model.name, model)
    if not found:
        raise MissingFileError(f"{root / 'models'} has no trained model: run `dvc repro`")
    return found


def choose(models: dict[str, Trained], given: Collection[str], variant: str | None) -> tuple[Trained, str]:
    """Return the model for a query with the parts `given` (of tags, plot, image), and the reason for the choice.

    It is `variant` if given; otherwise, of the models that fit, the one that ranks best on the test set, or if the
    figures are not comparable, the one that reads most parts. Raises `ModelError` if no model fits.
    """
    asked = list(models.values()) if variant is None else [require(models, variant)]
    fitting = [model for model in asked if model.fits(given)]
    if not fitting:
        raise _unfit(models, given, variant)
    if variant is not None:
        return fitting[0], AS_ASKED
    if len(models) == 1:
        return fitting[0], ONLY
    best, why = _best(fitting, given)
    return best, f"of the models that fit the input, {why}"


def choose_similar(models: dict[str, Trained], variant: str | None, preferred: str) -> tuple[Trained, str]:
    """Return the model for finding similar tracks, and the reason for the choice.

    It is `variant`, or else `preferred`, or else the best one as in `choose`. Raises `ModelError` for a variant that is
    not trained.
    """
    if variant is not None:
        return require(models, variant), AS_ASKED
    if preferred in models:
        return models[preferred], "the published variant"
    best, why = _best(models.values(), FILM_PARTS)
    return best, f"of the trained models, {why}"


def require(models: dict[str, Trained], variant: str) -> Trained:
    """Return the model of `variant`; raise `ModelError` with the trained ones if there is none."""
    if variant not in models:
        raise ModelError(f"variant: found {variant!r}, allowed are the trained variants {', '.join(models)}")
    return models[variant]


def _best(models: Iterable[Trained], given: Collection[str]) -> tuple[Trained, str]:
    """Return the model that ranks best, and the reason; ties go to the one that reads most parts, then by name."""
    by_reading = sorted(models, key=lambda model: (-len(model.reads(given)), model.name))
    found = [(model.figures_of(given), model) for model in by_reading]
    evaluated = [(figures.recall, model) for figures, model in found if figures is not None]
    if len({model.way for _, model in evaluated}) != 1:
        return by_reading[0], READS_MOST
    return max(evaluated, key=itemgetter(0))[1], BEST


def _unfit(models: dict[str, Trained], given: Collection[str], variant: str | None) -> ModelError:
    """Return the error for a query that does not fit `variant`, or any model: what to add, or which models fit."""
    known = f"a query with only {joined([NAMED[part] for part in given], 'and')}" if given else "an empty query"
    ways: dict[tuple[str, ...], list[str]] = {}  # what to add, and for which models
    for name in models if variant is None else [variant]:
        lacking = [part for part in models[name].needs if part not in given]
        for parts in [(part,) for part in lacking] if models[name].answers_subsets else [tuple(lacking)]:
            ways.setdefault(parts, []).append(name)
    fewest = [parts for parts in ways if len(parts) == min(map(len, ways))]
    added = {joined([NAMED[part] for part in parts], "and"): ways[parts] for parts in fewest}
    if variant is None:
        advice = joined([f"{parts} (for {joined(names, 'or')})" for parts, names in added.items()], "or")
        return ModelError(f"no trained model fits {known}: add {advice}")
    others = [model.name for model in models.values() if model.fits(given)]
    instead = f", or choose another variant ({joined(others, 'or')})" if others else ""
    return ModelError(f"variant {variant} does not fit {known}: add {joined([*added], 'or')}{instead}")


def _trained(root: Path, folder: Path) -> Trained:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        name, needs, answers_subsets = config["variant"], needs_of(config["inputs"]), config["drop_inputs"] > 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG} cannot be read ({error}): run `dvc repro`") from None
    name = name if folder.name == PUBLISHED else folder.name
    digest = sha256_of(folder / WEIGHTS)
    figures, subsets, way = _evaluation(root / f"metrics/evaluate/{name}.json", digest)
    return Trained(name, folder, needs, answers_subsets, figures, subsets, way, digest)


def _evaluation(path: Path, digest: str) -> tuple[Figures | None, dict[frozenset[str], Figures], tuple[str, ...]]:
    """Return the figures, those of subsets of inputs, and the values of `WAY` from a metrics file.

    All are empty if the file has no figures for the weights with `digest`.
    """
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["model"][WEIGHTS] == digest:
            subsets = {frozenset(needs_of(of["inputs"])): _figures(metrics, of) for of in metrics.get("subsets", [])}
            return _figures(metrics, metrics), subsets, tuple(str(metrics.get(name)) for name in WAY)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None, {}, ()


def _figures(metrics: dict[str, Any], of: dict[str, Any]) -> Figures:
    """Return the figures in `of`, `metrics` itself or one of its subsets; chance only for the same number of films."""
    chance = metrics.get("chance", {}).get(HIT_RATE) if of.get("queries") == metrics.get("queries") else None
    return Figures(float(of[METRIC]), of.get(HIT_RATE), chance, of.get("queries"), metrics.get("candidates"))
