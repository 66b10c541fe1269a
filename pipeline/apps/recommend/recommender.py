"""The recommender: choose a model, embed the query, filter and search the library, and find reasons.

It is thread-safe: models, encoders and indexes are loaded once, and networks run in one thread of their own, in the
order of the requests.
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
    """A search request."""

    query: Query
    k: int
    library: str = FILMS
    variant: str | None = None  # None: the best one that fits
    like: tuple[int, ...] = ()  # rows of tracks to find more of
    sounds: tuple[np.ndarray, ...] = ()  # the same as unit vectors [e], embedded from audio by the model
    less: tuple[int, ...] = ()  # rows of tracks to find less of
    weights: Mapping[str, float] = field(default_factory=dict)  # of parts of the query, from 0 to 2; default 1
    filters: Filters = NO_FILTERS  # of tracks, before ranking
    per_film: int | None = None  # maximum number of tracks per film or album
    exclude: tuple[str, ...] = ()  # films or albums, by id or title
    why: bool = False  # whether to find the reasons for each track


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    model: Model
    chosen: str  # reason for the choice of the model
    given: tuple[str, ...]  # parts of the query that are known
    unused: tuple[str, ...]  # parts of the query that the model does not read
    tracks: list[dict[str, Any]]  # columns of `INDEX_KEYS`, rank, row, score and, with `why`, the keys of `reasons`
    filtered: Filtered | None = None  # None: no filters


class Recommender:
    """Trained models, or one joint encoder, and the libraries to search."""

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
        """Take models and libraries by name; nothing is loaded yet.

        `preferred` is the variant for finding similar tracks; `tags_rule` is the format of the tags in training
        (`parse.tags`). A `zero_shot` encoder is used without `trained` models.
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
        """Return the tracks that fit `request`, best first.

        Raises `ModelError` with the reason for an invalid query, variant, library, film or number.
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
        """All models by name."""
        return {model.name: model for model in (self.zero_shot, *self.trained.values()) if model is not None}

    def model_for(self, query: Query, variant: str | None) -> tuple[Model, str]:
        """Return the model for a query, and the reason for the choice; without a query, the one for similar tracks."""
        if self.zero_shot is not None:
            if variant not in (None, self.zero_shot.name):
                raise ModelError(f"variant: found {variant!r}, but the only model is {self.zero_shot.label}: omit it")
            if query.given:
                self.zero_shot.require(query.given)
            return self.zero_shot, WHY
        if query.given:
            return choose(self.trained, query.given, variant)
        return choose_similar(self.trained, variant, self.preferred)

    def opened(self, library: str, model: Model) -> Opened:
        """Return the index of a library for `model`, and its search; they stay open."""
        return self._opening(library, model).result()

    def forget(self, library: str) -> None:
        """Release the open indexes of a library, since its tables were replaced."""
        self._indexes.forget(library)

    def opening(self, request: Request) -> Future[Opened]:
        """Return the index that answers `request`, opening it if necessary.

        Raises `ModelError` as `recommend` does; the future has the exceptions of the library.
        """
        request = self._checked(request)
        model, _ = self.model_for(request.query, request.variant)
        return self._opening(request.library, model)

    def _opening(self, library: str, model: Model) -> Future[Opened]:
        if library not in self.libraries:
            allowed = ", ".join(self.libraries) or "none yet: add --library FOLDER with your own music"
            raise ModelError(f"library: found {library!r}, allowed are {allowed}")
        return self._indexes.get(library, self.libraries[library], model)

    def _checked(self, request: Request) -> Request:
        """Return `request` with its tags in the format of training; raise `ModelError` if it is invalid."""
        if request.k < 1:
            raise ModelError(f"k: found {request.k}, the minimum is 1")
        if request.per_film is not None and request.per_film < 1:
            raise ModelError(f"per_film: found {request.per_film}, the minimum is 1")
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
                allowed = f"allowed are {', '.join(FILM_PARTS)} with a weight from 0 to {MOST_WEIGHT:g}"
                raise ModelError(f"weights: found {part}={weight:g}, {allowed}")
        if not (request.query.given or request.like or request.sounds):
            beside = "; `less` only works together with these" if request.less else ""
            raise ModelError(
                f"the query is empty: give a plot, tags, an image, or a track to find similar ones{beside}"
            )
        return request

    def _vectors(
        self, model: Model, index: TrackIndex, request: Request, feedback: Feedback, without: Sequence[Parts]
    ) -> list[np.ndarray]:
        """Return the unit vector [e] to search with for each of `without`, the parts left out of the query."""
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
        """Add to `tracks` the passages of `parts` that they match; `ablated` has the query without each part."""
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
        """Return the unit vectors [shares, queries, e] of `queries`, mixed according to each of `shares`."""
        encoder = self.zero_shot or self._query_encoder(self.trained[model.name])
        needed = list(dict.fromkeys(parts for of in shares for parts in of))
        vectors = dict(zip(needed, encoder.encode_without(queries, needed), strict=True))
        return np.stack([mixed(vectors, of) for of in shares])

    def _query_encoder(self, model: Trained) -> QueryEncoder:
        if model.name not in self._queries:
            self._queries[model.name] = QueryEncoder(*load_model(model.folder), self._encoders)
        return self._queries[model.name]


def open_recommender(root: Path, params: Params, joint: str | None = None) -> Recommender:
    """Return a recommender with the models below `root`, or with the joint encoder `joint`.

    With a joint encoder there is no library yet, and nothing below `root` is read. Raises `MissingFileError` if no
    model is trained.
    """
    device = choose_device(params.machine.device)
    settings = (params.recommend, device, params.variant, params.parse.tags)
    if joint is not None:
        return Recommender({}, {}, *settings, open_zero_shot(joint, params, device))
    films = FilmLibrary(root, params.machine.embed_batch_size, device)
    return Recommender(trained_models(root), {FILMS: films}, *settings)


def _feedback(index: TrackIndex, request: Request) -> Feedback:
    """Return the unit vectors [e] of the tracks to find more of, and of those to find less of."""
    found: dict[str, list[np.ndarray]] = {"like": [*request.sounds], "less": []}
    for name, vectors in found.items():
        for row in getattr(request, name):
            if not 0 <= row < len(index):
                raise ModelError(f"{name}: found row {row}, the library has rows 0 to {len(index) - 1}")
            vectors.append(index.vectors[row])
    return found["like"], found["less"]
