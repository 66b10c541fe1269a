"""User queries: tags, a plot and a picture, embedded by the same rules as the films of the data set.

Texts and pictures are prepared as in the feature tables, or as in fine-tuning, and then embedded by
`pipeline.model.embed`: a film is the mean over its plot's paragraphs, each combined with the one picture.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.core.errors import ModelError
from pipeline.core.variants import FILM_PARTS, TagsRule
from pipeline.encoders.image import ImageEncoder, load_image_encoder
from pipeline.encoders.pixels import Preparation
from pipeline.encoders.section import PRECISION, ImageFeatures
from pipeline.encoders.text import TextEncoder, load_query_encoder
from pipeline.media.pictures import BadPictureError, as_rgb, read_picture
from pipeline.model.embed import Queries, embed_films
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.store import BUILDING
from pipeline.store.films import INPUT_TABLES, InputRows, Stored
from pipeline.store.inputs import MAX_PIXELS, NEEDS, input_texts, needs_of, tags_plot_text
from pipeline.store.raw import open_tokenizer, token_table
from pipeline.store.table import FeatureTable

BATCH_SIZE = 32  # texts, pictures or paragraphs; affects memory only
REMEMBERED = 4096  # texts, and pictures; embeddings of 2 to 5 KB each
ORIGIN_KEYS = ("encoder", "revision", "crops", "width")  # of a spec: the source of an encoder, not what it computes
# The precision is not compared either: a query may be encoded on a CPU for a model trained on a GPU's features, and
# bfloat16 and float32 give the same vectors except for rounding.
UNCOMPARED = (*ORIGIN_KEYS, PRECISION)

Config = dict[str, Any]
Parts = frozenset[str]  # a subset of `FILM_PARTS`, left out of a query
WHOLE: Parts = frozenset()  # nothing left out


@dataclass(frozen=True)
class Query:
    """A film to find music for; None or a blank text means unknown."""

    title: str | None  # names the query in messages; no model reads it
    tags: str | None
    plot: str | None  # paragraphs joined by newlines
    image: Path | Image.Image | None  # a JPEG, PNG, GIF or WebP file, or a decoded picture

    @property
    def given(self) -> tuple[str, ...]:
        """Which of `FILM_PARTS` are known."""
        known = {"tags": bool((self.tags or "").strip()), "plot": bool((self.plot or "").strip())}
        return tuple(part for part in FILM_PARTS if known.get(part, self.image is not None))


def tags_as_trained(tags: str, rule: TagsRule) -> str:
    """Return `tags`, separated by commas or spaces, in the format that `parse.tags` sets for films."""
    if rule == "words":
        return " ".join(tags.lower().replace(",", " ").split())
    return ", ".join(" ".join(tag.split()) for tag in tags.lower().split(",") if tag.strip())


class Encoders:
    """Frozen encoders, each loaded once and shared by all models trained on it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._loaded: dict[tuple[Any, ...], Any] = {}

    def frozen(self, kind: str, spec: Config) -> Any:
        """Return the encoder of a kind with `spec`; raise `ModelError` if it fails to load or differs from `spec`."""
        settings = {"encoder": spec["encoder"], "pooling": spec["pooling"]}
        key = (kind, *settings.values(), spec.get("max_tokens"))
        if key not in self._loaded:
            with BUILDING:
                if kind == "text":
                    self._loaded[key] = _Remembering(load_query_encoder(spec, self.device, BATCH_SIZE), _keyed_text)
                else:
                    images = load_image_encoder(ImageFeatures(**settings, crops=1), self.device, BATCH_SIZE)
                    self._loaded[key] = _Remembering(images, partial(_keyed_square, images))
        encoder = self._loaded[key]
        for name in {**spec, **encoder.spec}:
            if name not in UNCOMPARED and encoder.spec.get(name) != spec.get(name):
                raise ModelError(
                    f"the model was trained on {spec['encoder']!r} with {name} {spec.get(name)!r}; the installed "
                    f"encoder has {encoder.spec.get(name)!r}: install revision {spec['revision']!r}, or train again"
                )
        return encoder


class QueryEncoder:
    """One model's query tower with its encoders, which are loaded on first use."""

    def __init__(self, model: RetrievalModel, config: Config, encoders: Encoders) -> None:
        """Take a `model`, its `config`, and the `encoders` shared by all models."""
        self.device = encoders.device
        self.model, self.config = model.to(self.device).eval(), config
        self.needs = needs_of(model.inputs)
        self._encoders = encoders
        self._kinds = sorted({INPUT_TABLES[name] for name in model.inputs})
        self._tables: dict[str, Callable[[list[Any]], InputRows]] = {}  # of texts or pictures, by kind

    def load(self) -> None:
        """Load all encoders of the model's inputs.

        Raises `ModelError` if one cannot be loaded, or differs from the one that the model was trained on.
        """
        for kind in self._kinds:
            self._table(kind)

    def encode(self, queries: Sequence[Query]) -> np.ndarray:
        """Return the unit vectors [queries, e], float32, in order.

        Raises `ModelError` for a query without the inputs that the model needs, for an unreadable picture, and as
        `load` does. A model trained with input dropout needs only one of its inputs.
        """
        return self.encode_without(queries, [WHOLE])[0]

    def encode_without(self, queries: Sequence[Query], without: Sequence[Parts]) -> np.ndarray:
        """Return the unit vectors [without, queries, e], float32, of the queries with some parts left out.

        Each item of `without` is a subset of `needs`, but never all the parts that a query has. An input that consists
        of left-out parts only is dropped; in the text `tags_plot` a left-out part is empty. Raises as `encode` does.
        """
        found = np.empty((len(without), len(queries), self.config["model"]["embed_dim"]), np.float32)
        alike: dict[tuple[str, ...], list[int]] = {}  # queries by the inputs that they lack
        names = [_name(number, query, len(queries)) for number, query in enumerate(queries)]
        for number, (name, query) in enumerate(zip(names, queries, strict=True)):
            self._require(name, query)
            lacking = tuple(i for i in self.model.inputs if not set(NEEDS[i]) <= set(query.given))
            alike.setdefault(lacking, []).append(number)
        for lacking, numbers in alike.items():
            of_numbers = [(names[number], queries[number]) for number in numbers]
            found[:, numbers] = self._encode_alike(of_numbers, without, lacking)
        return found

    def _encode_alike(
        self, queries: Sequence[tuple[str, Query]], without: Sequence[Parts], lacking: Sequence[str]
    ) -> np.ndarray:
        """Return the vectors of named queries, all of which lack the inputs `lacking`."""
        items: dict[str, list[Any]] = {kind: [] for kind in self._kinds}  # texts, pictures
        rows: list[list[dict[str, tuple[int, ...]]]] = [[] for _ in without]  # rows of `items`, by query and input
        opened: dict[int, list[Image.Image]] = {}  # by id, as a picture that queries share is encoded once
        for name, query in queries:
            wanted = query.image if "image" in self.needs else None
            pictures = opened.setdefault(id(wanted), [])
            if wanted is not None and not pictures:
                pictures.append(opened_picture(name, wanted))
            for of_query, parts in zip(rows, without, strict=True):
                of_query.append(
                    {
                        of_input: _rows(items[INPUT_TABLES[of_input]], made_of)
                        for of_input, made_of in _inputs(query, pictures, parts).items()
                        if of_input in self.model.inputs and of_input not in lacking
                    }
                )
        tables = {kind: self._table(kind)(found) for kind, found in items.items() if found}

        def read(wanted: Mapping[str, Sequence[int]]) -> dict[str, Stored]:
            return {name: tables[INPUT_TABLES[name]].read(of_input) for name, of_input in wanted.items()}

        def values(stored: Mapping[str, Stored], device: torch.device) -> dict[str, Any]:
            return {name: tables[INPUT_TABLES[name]].values(found) for name, found in stored.items()}

        asked = [Queries([name for name, _ in queries], of_query, read, values) for of_query in rows]
        dropped = [[*lacking, *self._dropped(parts)] for parts in without]
        return np.stack(
            [
                embed_films(self.model, of_query, self.config, BATCH_SIZE, self.device, inputs)
                for of_query, inputs in zip(asked, dropped, strict=True)
            ]
        )

    def _require(self, name: str, query: Query) -> None:
        lacking = [part for part in self.needs if part not in query.given]
        if lacking and not (self.model.drop_inputs and len(lacking) < len(self.needs)):
            raise ModelError(
                f"{name}: {' and '.join(lacking)} missing; the model M-{self.config['variant']} needs "
                f"{', '.join(self.needs)}"
            )

    def _table(self, kind: str) -> Callable[[list[Any]], InputRows]:
        """Return the function from texts or pictures to the model's input rows."""
        if kind not in self._tables:
            tuned = self.config["encoders"].get(kind)
            made = _tuned(kind, tuned) if tuned else _frozen(self._encoders.frozen(kind, self._spec(kind)))
            self._tables[kind] = made
        return self._tables[kind]

    def _dropped(self, parts: Parts) -> list[str]:
        return [of_input for of_input in self.model.inputs if set(NEEDS[of_input]) <= parts]

    def _spec(self, kind: str) -> Config:
        """Return the settings of the frozen encoder of a kind, which all its inputs share."""
        return next(self.config["features"][name] for name in self.model.inputs if INPUT_TABLES[name] == kind)


@dataclass(frozen=True)
class _Squares:
    """Pictures as pixels for a fine-tuned encoder."""

    pixels: np.ndarray  # uint8 [rows, size, size, 3]
    preparation: Preparation

    def read(self, rows: Sequence[int]) -> Tensor:
        """Return uint8 [n, size, size, 3]."""
        return torch.from_numpy(self.pixels[list(rows)])

    def values(self, stored: Tensor) -> Tensor:
        """Return float32 [n, 3, size, size], normalized for the encoder."""
        return self.preparation.values(stored)


@dataclass(frozen=True)
class _Remembering:
    """A frozen encoder with an LRU cache, since the same synopsis and the same poster are often searched for again."""

    encoder: TextEncoder | ImageEncoder
    keyed: Callable[[Any], tuple[str, Any]]  # of a text or picture: its key, and what the encoder takes
    kept: OrderedDict[str, np.ndarray] = field(default_factory=OrderedDict)

    @property
    def spec(self) -> Config:
        return self.encoder.spec

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Return float32 [len(items), f], in order."""
        keyed = [self.keyed(item) for item in items]
        new = {key: item for key, item in keyed if key not in self.kept}
        vectors = dict(zip(new, self.encoder.encode([*new.values()]), strict=True))
        vectors |= {key: self.kept.pop(key) for key in dict.fromkeys(key for key, _ in keyed) if key in self.kept}
        self.kept.update(vectors)
        while len(self.kept) > REMEMBERED:
            self.kept.popitem(last=False)
        return np.stack([vectors[key] for key, _ in keyed]) if keyed else self.encoder.encode([])


def _keyed_text(text: str) -> tuple[str, str]:
    return text, text


def _keyed_square(encoder: ImageEncoder, picture: Image.Image) -> tuple[str, Image.Image]:
    """Return the digest of the square of a picture that `encoder` reads, and the square."""
    square = encoder.crops(picture, 1)[0]
    return hashlib.sha256(square.tobytes()).hexdigest(), square


def _frozen(encoder: Any) -> Callable[[list[Any]], InputRows]:
    """Return the function from texts or pictures to the vectors of a frozen encoder."""
    return lambda found: FeatureTable({}, encoder.encode(found), {})


def _tuned(kind: str, settings: Config) -> Callable[[list[Any]], InputRows]:
    """Return the function from texts or pictures to input rows of the encoder inside the model."""
    if kind == "text":
        tokenizer = open_tokenizer(settings)
        return lambda texts: token_table(tokenizer, settings, {}, texts)
    preparation = Preparation(**settings["preparation"])
    return lambda pictures: _Squares(np.stack([preparation.pixels(picture) for picture in pictures]), preparation)


def _inputs(query: Query, pictures: list[Image.Image], without: Parts) -> dict[str, list[Any]]:
    """Return the items of each input: one text per paragraph, or a picture."""
    tags, plot = query.tags or "", query.plot or ""
    found: dict[str, list[Any]] = {**input_texts(tags, plot), "image": pictures}
    if "tags" in without:
        found["tags_plot"] = [tags_plot_text("", paragraph) for paragraph in found["plot"]]
    elif "plot" in without:
        found["tags_plot"] = [tags_plot_text(text, "") for text in found["tags"]]
    return found


def _rows(items: list[Any], found: list[Any]) -> tuple[int, ...]:
    """Return the places of `found` in `items`; missing ones are appended."""
    places = []
    for item in found:
        same = (
            place for place, known in enumerate(items) if known is item or (isinstance(item, str) and known == item)
        )
        place = next(same, len(items))
        if place == len(items):
            items.append(item)
        places.append(place)
    return tuple(places)


def opened_picture(name: str, path: Path | Image.Image) -> Image.Image:
    """Return the picture at `path`, or `path` if it is a picture, in RGB; raise `ModelError` with the query's name."""
    if isinstance(path, Image.Image):
        return as_rgb(path) if path.mode != "RGB" or path.has_transparency_data else path
    try:
        return read_picture(path, MAX_PIXELS)
    except FileNotFoundError:
        raise ModelError(f"{name}: image {path} not found") from None
    except BadPictureError as error:
        raise ModelError(f"{name}: the image {path} cannot be read: {error}") from None


def _name(number: int, query: Query, count: int) -> str:
    name = "the query" if count == 1 else f"query {number}"
    return f"{name} ({query.title})" if query.title else name
