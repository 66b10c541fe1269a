"""Recommendations: a query's model chosen, the query embedded, the library filtered and searched, and reasons found.

Made for many threads at once: models, encoders and indexes are loaded once, and networks read queries in one thread of
their own, in the order in which they are asked.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.apps.recommend.filters import NO_FILTERS, Filters
from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.libraries import FILMS, FilmLibrary, SearchableLibrary
from pipeline.apps.recommend.opened import Opened, OpenIndexes
from pipeline.apps.recommend.passages import passages
from pipeline.apps.recommend.passing import Filtered, passing
from pipeline.apps.recommend.picking import picked
from pipeline.apps.recommend.query import WHOLE, Encoders, Parts, Query, QueryEncoder, tags_as_trained
from pipeline.apps.recommend.reasons import add_answers, add_places
from pipeline.apps.recommend.steering import MOST_WEIGHT, Mixture, mixed, mixture, steered, weighing
from pipeline.apps.recommend.trained import Model, Trained, choose, choose_similar, trained_models
from pipeline.apps.recommend.zero_shot import WHY, ZeroShot, open_zero_shot
from pipeline.core.errors import ModelError
from pipeline.core.machine import choose_device
from pipeline.core.variants import FILM_PARTS, TagsRule
from pipeline.model.store import load_model
from pipeline.params import Params, Recommend

Feedback = tuple[list[np.ndarray], list[np.ndarray]]  # unit vectors [e]: more like these, less like those


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    query: Query
    k: int
    library: str = FILMS
    variant: str | None = None  # None: the one that fits
    like: tuple[int, ...] = ()  # rows of tracks: more of these, ...
    sounds: tuple[np.ndarray, ...] = ()  # ... or of these unit vectors [e], which the model made of audio
    less: tuple[int, ...] = ()  # rows of tracks: less of these
    weights: Mapping[str, float] = field(default_factory=dict)  # of parts of the query, from 0 to 2; 1 unless named
    filters: Filters = NO_FILTERS  # of tracks, before any is ranked
    per_film: int | None = None  # at most so many tracks of a film or album
    exclude: tuple[str, ...] = ()  # films or albums, by id or title
    why: bool = False  # whether to find the reasons of each track


@dataclass(frozen=True)
class Answer:
    """What was found."""

    model: Model
    chosen: str  # why this model
    given: tuple[str, ...]  # parts of the query that are known
    unused: tuple[str, ...]  # parts of the query that it does not read
    tracks: list[dict[str, Any]]  # columns of `INDEX_KEYS` with rank, row, score and, for why, what `reasons` adds
    filtered: Filtered | None = None  # None: there are no filters


class Recommender:
    """Models, or one joint encoder, with the libraries that they search."""

    def __init__(
        self,
        trained: Mapping[str, Trained],
        libraries: Mapping[str, SearchableLibrary],
        params: Recommend,
        device: torch.device,
        preferred: str,
        tags_rule: TagsRule,
        zero_shot: ZeroShot | None = None,
    ) -> None:
        """Take models and libraries, either by name; nothing is loaded yet.

        `preferred` is the variant that looks for similar tracks; `tags_rule` is the form of the tags that models were
        trained on (`parse.tags`). A `zero_shot` answers alone, without `trained`.
        """
        self.params, self.device, self.preferred, self.tags_rule = params, device, preferred, tags_rule
        self.zero_shot = zero_shot
        self.trained = dict(trained)
        self.libraries = dict(libraries)
        self._encoders = Encoders(device)
        self._queries: dict[str, QueryEncoder] = {}
        self._indexes = OpenIndexes(params)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="networks")

    def recommend(self, request: Request) -> Answer:
        """Return the tracks that fit `request`, the best first.

        Raises `ModelError` for a query, a variant, a library, a film or a number that cannot be used, saying why.
        """
        request = self._checked(request)
        query = request.query
        model, chosen = self.model_for(query, request.variant)
        opened = self.opened(request.library, model)
        index = opened.index
        passed, filtered = passing(index, request.filters)
        feedback = _feedback(index, request)
        weighed = weighing(model.reads(query.given), request.weights)
        parts = weighed if request.why and len(weighed) > 1 else ()
        whole, *ablated = self._vectors(
            model, index, request, feedback, [WHOLE, *(frozenset([part]) for part in parts)]
        )
        hidden = (*request.like, *request.less)
        rows = picked(index, opened.search, whole, request.k, passed, hidden, request.per_film, request.exclude)
        tracks = [
            {"rank": rank, "row": row, "score": float(index.vectors[row] @ whole), **track}
            for rank, (row, track) in enumerate(zip(rows, index.rows(rows), strict=True), start=1)
        ]
        if request.why:
            of_parts = dict(zip(parts, ablated, strict=True))
            add_places(index, tracks, whole, of_parts, passed)
            self._add_answers(model, index, request, feedback, tracks, weighed, of_parts)
        unused = tuple(part for part in query.given if part not in model.needs)
        return Answer(model, chosen, query.given, unused, tracks, filtered)

    @property
    def models(self) -> dict[str, Model]:
        """What can answer, by name."""
        return {model.name: model for model in (self.zero_shot, *self.trained.values()) if model is not None}

    def model_for(self, query: Query, variant: str | None) -> tuple[Model, str]:
        """Return the model that answers, and why it is that one; without a query, the one that finds similar tracks."""
        if self.zero_shot is not None:
            if variant not in (None, self.zero_shot.name):
                raise ModelError(f"variant: found {variant!r}, but {self.zero_shot.label} alone answers")
            if query.given:
                self.zero_shot.require(query.given)
            return self.zero_shot, WHY
        if query.given:
            return choose(self.trained, query.given, variant)
        return choose_similar(self.trained, variant, self.preferred)

    def opened(self, library: str, model: Model) -> Opened:
        """Return the index of a library by `model`, and its search; they stay open."""
        return self._opening(library, model).result()

    def forget(self, library: str) -> None:
        """Let what is open of a library go, since it has other tables now."""
        self._indexes.forget(library)

    def opening(self, request: Request) -> Future[Opened]:
        """Return the index that `request` is answered from, which is opened unless it is open.

        Raises `ModelError` as `recommend` does; the future's own exceptions are those of the library.
        """
        request = self._checked(request)
        model, _ = self.model_for(request.query, request.variant)
        return self._opening(request.library, model)

    def _opening(self, library: str, model: Model) -> Future[Opened]:
        if library not in self.libraries:
            allowed = ", ".join(self.libraries) or "none yet: name your own music with --library"
            raise ModelError(f"library: found {library!r}, allowed are {allowed}")
        return self._indexes.get(library, self.libraries[library], model)

    def _checked(self, request: Request) -> Request:
        """Return `request` with its tags as models know them; raise `ModelError` where it cannot be answered."""
        if request.k < 1:
            raise ModelError(f"k: found {request.k}, at least 1 track can be asked for")
        if request.per_film is not None and request.per_film < 1:
            raise ModelError(f"per film: found {request.per_film}, at least 1")
        most = self.params.max_text_chars
        for part in ("tags", "plot"):
            text = getattr(request.query, part) or ""
            if len(text) > most:
                raise ModelError(f"{part}: {len(text)} characters, at most {most} (recommend.max_text_chars)")
        paragraphs = sum(bool(line.strip()) for line in (request.query.plot or "").split("\n"))
        if paragraphs > self.params.max_paragraphs:
            most = self.params.max_paragraphs
            raise ModelError(f"plot: {paragraphs} paragraphs, at most {most} (recommend.max_paragraphs)")
        if self.zero_shot is None:
            tags = tags_as_trained(request.query.tags or "", self.tags_rule)
            request = replace(request, query=replace(request.query, tags=tags))
        for part, weight in request.weights.items():
            if part not in FILM_PARTS or not 0 <= weight <= MOST_WEIGHT:
                allowed = f"{', '.join(FILM_PARTS)} weigh from 0 to {MOST_WEIGHT:g}"
                raise ModelError(f"weights: found {part}={weight:g}; {allowed}, 1 unless named")
        if not (request.query.given or request.like or request.sounds):
            beside = "; less is for tracks beside these" if request.less else ""
            raise ModelError(
                f"the query is empty: give a plot, tags, an image, or a track to find similar ones{beside}"
            )
        return request

    def _vectors(
        self, model: Model, index: TrackIndex, request: Request, feedback: Feedback, without: Sequence[Parts]
    ) -> list[np.ndarray]:
        """Return a unit vector [e] to search with for each of `without`, the parts of the query that are left out."""
        if not request.query.given:
            return [steered(np.zeros(index.vectors.shape[1], np.float32), *feedback)]
        read = model.reads(request.query.given)
        shares = [mixture(read, request.weights, parts) for parts in without]
        found = self._worker.submit(self._encode, model, [request.query], shares).result()
        return [steered(vector, *feedback) for vector in found[:, 0]]

    def _add_answers(
        self,
        model: Model,
        index: TrackIndex,
        request: Request,
        feedback: Feedback,
        tracks: list[dict[str, Any]],
        parts: Sequence[str],
        ablated: Mapping[str, np.ndarray],
    ) -> None:
        """Add to `tracks` the passages of `parts` that they answer; `ablated` is the query without each part."""
        found = passages(request.query, parts, self.tags_rule) if tracks else []
        pieces = [(passage, passage.rest) for passage in found if passage.rest is not None]
        without = [
            (passage, ablated[passage.part]) for passage in found if passage.rest is None and passage.part in ablated
        ]
        if pieces:
            rests = [rest for _, rest in pieces]
            shares = [mixture(model.reads(request.query.given), request.weights)]
            vectors = self._worker.submit(self._encode, model, rests, shares).result()[0]
            without += [(passage, steered(v, *feedback)) for (passage, _), v in zip(pieces, vectors, strict=True)]
        add_answers(index, tracks, without)

    def _encode(self, model: Model, queries: Sequence[Query], shares: Sequence[Mixture]) -> np.ndarray:
        """Return the unit vectors [shares, queries, e] of `queries`, each mixed by each of `shares`."""
        encoder = self.zero_shot or self._query_encoder(self.trained[model.name])
        needed = list(dict.fromkeys(parts for of in shares for parts in of))
        vectors = dict(zip(needed, encoder.encode_without(queries, needed), strict=True))
        return np.stack([mixed(vectors, of) for of in shares])

    def _query_encoder(self, model: Trained) -> QueryEncoder:
        if model.name not in self._queries:
            self._queries[model.name] = QueryEncoder(*load_model(model.folder), self._encoders)
        return self._queries[model.name]


def open_recommender(root: Path, params: Params, joint: str | None = None) -> Recommender:
    """Return what recommends with the models below `root`, or with the joint encoder `joint`, as `params` say.

    With a joint encoder there is no library yet, and nothing below `root` is looked at. Raises `MissingFileError` when
    no model is trained.
    """
    device = choose_device(params.machine.device)
    settings = (params.recommend, device, params.variant, params.parse.tags)
    if joint is not None:
        return Recommender({}, {}, *settings, open_zero_shot(joint, params, device))
    films = FilmLibrary(root, params.machine.embed_batch_size, device)
    return Recommender(trained_models(root), {FILMS: films}, *settings)


def _feedback(index: TrackIndex, request: Request) -> Feedback:
    """Return the unit vectors [e] of the tracks to find more like, and of those to find less like."""
    found: dict[str, list[np.ndarray]] = {"like": [*request.sounds], "less": []}
    for name, vectors in found.items():
        for row in getattr(request, name):
            if not 0 <= row < len(index):
                raise ModelError(f"{name}: found track {row}, the library has 0 to {len(index) - 1}")
            vectors.append(index.vectors[row])
    return found["like"], found["less"]
