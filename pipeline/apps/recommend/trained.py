"""The models that are here, and which of them fits what is known of a film."""

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
METRIC = "recall_at_10"  # decides between models that can do with what is given
HIT_RATE = "hit_rate_at_10"
WAY = ("dataset", "pool", "unit", "paragraphs")  # of a metrics file: figures that differ in one cannot be compared
BEST = "it ranks best on the test films"
ONLY = "it is the only model"
READS_MOST = "it reads most of the input; there are no comparable figures"


@dataclass(frozen=True)
class Figures:
    """How well a model ranks the tracks of films that it was not trained on, in its evaluation."""

    recall: float  # at 10: share of a film's own tracks among the first ten
    hit_rate: float | None = None  # at 10: share of films with a track of their own among the first ten
    chance_hit_rate: float | None = None  # the same for tracks in random order
    films: int | None = None
    tracks: int | None = None  # that are ranked

    @property
    def in_words(self) -> str:
        """The hit rate as a clause, beside chance; empty where it is not known."""
        if self.hit_rate is None or self.films is None:
            return ""
        chance = "" if self.chance_hit_rate is None else f", by chance for {self.chance_hit_rate:.0%}"
        among = "" if self.tracks is None else f" of {self.tracks:,}"
        return (
            f"of {self.films:,} films that it was not trained on, it finds a track of the film's own among the first "
            f"ten{among} for {self.hit_rate:.0%}{chance}"
        )


@dataclass(frozen=True)
class Trained:
    """A trained variant."""

    name: str
    folder: Path
    needs: tuple[str, ...]  # of tags, plot, image
    answers_subsets: bool  # whether one of its needs is enough
    figures: Figures | None  # of its evaluation; None: was not evaluated with these weights
    subsets: dict[frozenset[str], Figures]  # the same where only some of its needs are given, if it answers subsets
    way: tuple[str, ...]  # how and on what it was evaluated, the values of `WAY`; empty where it was not
    digest: str  # SHA-256 of its weights
    option: str = ""  # what a command is given besides, for it to answer: nothing where it lies among `models`

    def fits(self, given: Collection[str]) -> bool:
        """Return whether it can do with what is given."""
        return bool(set(self.needs) & set(given)) if self.answers_subsets else set(self.needs) <= set(given)

    def reads(self, given: Collection[str]) -> tuple[str, ...]:
        """Return what it reads of what is given."""
        return tuple(part for part in self.needs if part in given)

    def figures_of(self, given: Collection[str]) -> Figures | None:
        """Return its figures for queries of what is given."""
        return self.subsets.get(frozenset(self.reads(given)), self.figures)

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"M-{self.name}"


Model = Trained | ZeroShot  # what answers


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

    It is `variant` where one is named; else, of those whose needs are all given, the one that ranks best in its
    evaluation, or where their figures cannot be compared the one that reads most. Raises `ModelError` when none can do
    with what is given.
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
    return best, f"of the models that fit the input {why}"


def choose_similar(models: dict[str, Trained], variant: str | None, preferred: str) -> tuple[Trained, str]:
    """Return the model that tells which tracks are alike, and why it is that one.

    It is `variant`, else `preferred`, else the best one as for `choose`. Raises `ModelError` for a variant that is not
    trained.
    """
    if variant is not None:
        return require(models, variant), AS_ASKED
    if preferred in models:
        return models[preferred], "the published variant"
    best, why = _best(models.values(), FILM_PARTS)
    return best, f"of the trained models {why}"


def require(models: dict[str, Trained], variant: str) -> Trained:
    """Return the model of `variant`; raise `ModelError` naming those that there are."""
    if variant not in models:
        raise ModelError(f"variant: found {variant!r}, trained are {', '.join(models)}")
    return models[variant]


def _best(models: Iterable[Trained], given: Collection[str]) -> tuple[Trained, str]:
    """Return the model that ranks best, and why it is that one; ties go to the one that reads most, then by name."""
    by_reading = sorted(models, key=lambda model: (-len(model.reads(given)), model.name))
    found = [(model.figures_of(given), model) for model in by_reading]
    evaluated = [(figures.recall, model) for figures, model in found if figures is not None]
    if len({model.way for _, model in evaluated}) != 1:
        return by_reading[0], READS_MOST
    return max(evaluated, key=itemgetter(0))[1], BEST


def _unfit(models: dict[str, Trained], given: Collection[str], variant: str | None) -> ModelError:
    """Return the error where `variant`, or without it every model, needs more: what to add, or which model would do."""
    known = f"{joined([NAMED[part] for part in given], 'and')} alone" if given else "nothing"
    ways: dict[tuple[str, ...], list[str]] = {}  # what to add, and for which models
    for name in models if variant is None else [variant]:
        lacking = [part for part in models[name].needs if part not in given]
        for parts in [(part,) for part in lacking] if models[name].answers_subsets else [tuple(lacking)]:
            ways.setdefault(parts, []).append(name)
    fewest = [parts for parts in ways if len(parts) == min(map(len, ways))]
    added = {joined([NAMED[part] for part in parts], "and"): ways[parts] for parts in fewest}
    if variant is None:
        advice = joined([f"{parts} (for {joined(names, 'or')})" for parts, names in added.items()], "or")
        return ModelError(f"no trained model can do with {known}: add {advice}")
    others = [model.name for model in models.values() if model.fits(given)]
    instead = f", or name no variant ({joined(others, 'and')} can)" if others else ""
    return ModelError(f"variant {variant} cannot do with {known}: add {joined([*added], 'or')}{instead}")


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
    """Return the figures, those of subsets of inputs, and `WAY` out of a metrics file.

    There is nothing where it has no figures of the weights of `digest`.
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
    """Return the figures in `of`, which is `metrics` or one of its subsets of inputs; chance is of its films."""
    chance = metrics.get("chance", {}).get(HIT_RATE) if of.get("queries") == metrics.get("queries") else None
    return Figures(float(of[METRIC]), of.get(HIT_RATE), chance, of.get("queries"), metrics.get("candidates"))
