"""Queries as people ask them: tags, a plot and a picture, embedded by the very rules that films of the data set are.

The texts and pictures are prepared as the feature tables are, or as fine-tuning reads them, and then go the way of
`pipeline.model.embed`: a film is the mean over its plot's paragraphs, each beside the one picture.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.pixels import Preparation
from pipeline.encoders.text import load_text_encoder
from pipeline.errors import ModelError
from pipeline.model.embed import embed_films
from pipeline.model.retrieval import RetrievalModel
from pipeline.pictures import BadPictureError, read_picture
from pipeline.sections import ImageFeatures, TextFeatures
from pipeline.store.films import INPUT_TABLES, Film, InputTable
from pipeline.store.posters import MAX_PIXELS
from pipeline.store.raw import open_tokenizer, token_table
from pipeline.store.table import FeatureTable
from pipeline.store.texts import input_texts

NEEDS = {"image": ("image",), "tags": ("tags",), "plot": ("plot",), "tags_plot": ("tags", "plot")}
BATCH_SIZE = 32  # texts, pictures or paragraphs at once; memory only
BESIDE = ("encoder", "revision", "crops", "width")  # of a spec: where an encoder came from, not what it computes

Config = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """A film to find music for; None, or a text without words, is what is not known."""

    title: str | None  # names the query in messages; no model reads it
    tags: str | None
    plot: str | None  # paragraphs joined by newlines
    image: Path | None  # a JPEG, PNG, GIF or WebP file


class QueryEncoder:
    """One model's query side with the encoders that it needs, loaded once."""

    def __init__(self, model: RetrievalModel, config: Config, device: torch.device) -> None:
        """Load what `model`, whose config is `config`, needs beside itself.

        Raises `ModelError` when an encoder cannot be loaded, or is not the one that the model was trained on.
        """
        self.model, self.config, self.device = model.to(device).eval(), config, device
        self.needs = [name for name in ("tags", "plot", "image") if any(name in NEEDS[i] for i in model.inputs)]
        self._tables: dict[str, Callable[[list[Any]], InputTable]] = {}  # of texts or pictures, by kind
        for kind in sorted({INPUT_TABLES[name] for name in model.inputs}):
            tuned = config["encoders"].get(kind)
            self._tables[kind] = (_tuned if tuned else _frozen)(kind, tuned or self._spec(kind), device)

    def encode(self, queries: Sequence[Query]) -> np.ndarray:
        """Return the unit vectors [queries, e], float32, in order.

        Raises `ModelError` for a query that lacks what the model needs, naming it, and for a picture that cannot be
        read.
        """
        if not queries:
            return np.empty((0, self.config["model"]["embed_dim"]), np.float32)
        names = [_name(number, query) for number, query in enumerate(queries)]
        rows: dict[str, list[tuple[int, ...]]] = {name: [] for name in self.model.inputs}
        items: dict[str, list[Any]] = {kind: [] for kind in self._tables}  # texts, pictures
        for name, query in zip(names, queries, strict=True):
            for of_input, found in self._inputs(name, query).items():
                of_kind = items[INPUT_TABLES[of_input]]
                rows[of_input].append(tuple(range(len(of_kind), len(of_kind) + len(found))))
                of_kind += found
        tables = {kind: self._tables[kind](found) for kind, found in items.items()}
        store = _Asked(self.model.inputs, {name: tables[INPUT_TABLES[name]] for name in self.model.inputs})
        films = []
        for number, name in enumerate(names):
            of_query = {of_input: found[number] for of_input, found in rows.items()}
            films.append(Film(name, (), (), of_query, of_query))
        return embed_films(self.model, store, films, self.config, BATCH_SIZE, self.device)

    def _inputs(self, name: str, query: Query) -> dict[str, list[Any]]:
        """Return what each input is made of: a text a paragraph, or a picture."""
        given = {"tags": query.tags or "", "plot": query.plot or "", "image": query.image}
        lacking = [need for need in self.needs if not (given[need] if need == "image" else given[need].strip())]
        if lacking:
            raise ModelError(
                f"{name}: {' and '.join(lacking)} missing; the model M-{self.config['variant']} needs "
                f"{', '.join(self.needs)}"
            )
        found: dict[str, list[Any]] = dict(input_texts(given["tags"], given["plot"]))
        if "image" in self.needs:
            found["image"] = [_picture(name, query.image)]
        return {of_input: found[of_input] for of_input in self.model.inputs}

    def _spec(self, kind: str) -> Config:
        """Return the settings of the frozen encoder of a kind, the same for all inputs of it."""
        return next(self.config["features"][name] for name in self.model.inputs if INPUT_TABLES[name] == kind)


@dataclass(frozen=True)
class _Asked:
    """The tables of the queries, in the place of a `FeatureStore` (`pipeline.model.embed.Queries`)."""

    inputs: tuple[str, ...]
    tables: dict[str, InputTable]  # by input

    def query(self, rows: Mapping[str, Sequence[int]], device: torch.device) -> dict[str, Any]:
        """Return rows of each input's table as a model reads them."""
        return {name: self.tables[name].values(_moved(self.tables[name].read(r), device)) for name, r in rows.items()}


@dataclass(frozen=True)
class _Squares:
    """Pictures as the pixels that a fine-tuned encoder reads."""

    pixels: np.ndarray  # uint8 [rows, size, size, 3]
    preparation: Preparation

    def read(self, rows: Sequence[int]) -> Tensor:
        """Return uint8 [n, size, size, 3]."""
        return torch.from_numpy(self.pixels[list(rows)])

    def values(self, stored: Tensor) -> Tensor:
        """Return float32 [n, 3, size, size], normalised as the encoder wants it."""
        return self.preparation.values(stored)


def _frozen(kind: str, spec: Config, device: torch.device) -> Callable[[list[Any]], InputTable]:
    """Return the function from texts or pictures to the vectors of the frozen encoder of `spec`."""
    settings = {"encoder": spec["encoder"], "pooling": spec["pooling"], "batch_size": BATCH_SIZE}
    if kind == "text":
        encoder: Any = load_text_encoder(TextFeatures(**settings, max_tokens=spec["max_tokens"]), device)
    else:
        encoder = load_image_encoder(ImageFeatures(**settings, crops=1), device)
    for name in spec:
        if name not in BESIDE and encoder.spec.get(name) != spec[name]:
            raise ModelError(
                f"the model was trained on {spec['encoder']!r} with {name} {spec[name]!r}; the one here has "
                f"{encoder.spec.get(name)!r}: install the revision {spec['revision']!r}, or train again"
            )
    return lambda found: FeatureTable({}, encoder.encode(found), {})


def _tuned(kind: str, settings: Config, device: torch.device) -> Callable[[list[Any]], InputTable]:
    """Return the function from texts or pictures to what the encoder inside the model reads."""
    if kind == "text":
        tokenizer = open_tokenizer(settings)
        return lambda texts: token_table(tokenizer, settings, {}, texts)
    preparation = Preparation(**settings["preparation"])
    return lambda pictures: _Squares(
        np.stack([preparation.centre(preparation.squares(picture, 1)[0]) for picture in pictures]), preparation
    )


def _picture(name: str, path: Path) -> Image.Image:
    try:
        return read_picture(path, MAX_PIXELS)
    except FileNotFoundError:
        raise ModelError(f"{name}: there is no image {path}") from None
    except BadPictureError as error:
        raise ModelError(f"{name}: the image {path} cannot be read: {error}") from None


def _name(number: int, query: Query) -> str:
    return f"query {number} ({query.title})" if query.title else f"query {number}"


def _moved(stored: Any, device: torch.device) -> Any:
    if isinstance(stored, dict):
        return {name: value.to(device) for name, value in stored.items()}
    return stored.to(device)
