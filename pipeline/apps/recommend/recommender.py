"""Recommendations: a query's model chosen, the query embedded, the library searched, and what moved each track told.

Made for many threads at once: models, encoders and indexes are loaded once, and networks read queries in one thread of
their own, in the order in which they are asked.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.libraries import FILMS, FilmLibrary, SearchableLibrary
from pipeline.apps.recommend.opened import Opened, OpenIndexes
from pipeline.apps.recommend.query import Encoders, Query, QueryEncoder, tags_as_trained
from pipeline.apps.recommend.search import Search
from pipeline.apps.recommend.trained import Model, Trained, choose, choose_similar, trained_models
from pipeline.apps.recommend.zero_shot import WHY, ZeroShot, open_zero_shot
from pipeline.core.errors import ModelError
from pipeline.core.machine import choose_device
from pipeline.core.variants import TagsRule
from pipeline.model.store import load_model
from pipeline.params import Params, Recommend


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    query: Query
    k: int
    library: str = FILMS
    variant: str | None = None  # None: the one that fits
    like: tuple[int, ...] = ()  # rows of tracks: more of these, ...
    sounds: tuple[np.ndarray, ...] = ()  # ... or of these unit vectors [e], which the model made of audio
    per_film: int | None = None  # at most so many tracks of a film or album
    exclude: tuple[str, ...] = ()  # films or albums, by id or title
    why: bool = False  # whether to tell what each part of the query did


@dataclass(frozen=True)
class Answer:
    """What was found."""

    model: Model
    chosen: str  # why this model
    given: tuple[str, ...]  # parts of the query that are known
    unused: tuple[str, ...]  # parts of the query that it does not read
    tracks: list[dict[str, Any]]  # columns of `INDEX_KEYS` with rank, row, score and, for why, place and without


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
        index, search = opened.index, opened.search
        read = model.reads(query.given)
        parts = read if request.why and len(read) > 1 else ()
        whole, *ablated = self._vectors(model, index, request, parts)
        rows = self._picked(index, search, whole, request)
        tracks = [
            {"rank": rank, "row": row, "score": float(index.vectors[row] @ whole), **track}
            for rank, (row, track) in enumerate(zip(rows, index.rows(rows), strict=True), start=1)
        ]
        if request.why:
            _explain(index, tracks, whole, dict(zip(parts, ablated, strict=True)))
        unused = tuple(part for part in query.given if part not in model.needs)
        return Answer(model, chosen, query.given, unused, tracks)

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
        if not (request.query.given or request.like or request.sounds):
            raise ModelError("the query is empty: give a plot, tags, an image, or a track to find similar ones")
        return request

    def _vectors(self, model: Model, index: TrackIndex, request: Request, parts: Sequence[str]) -> list[np.ndarray]:
        """Return the unit vector [e] to search with, and one without each of `parts`.

        Where tracks are liked as well, it is the direction between the query and their mean.
        """
        query, liked = request.query, [*request.sounds]
        for row in request.like:
            if not 0 <= row < len(index):
                raise ModelError(f"like: found track {row}, the library has 0 to {len(index) - 1}")
            liked.append(index.vectors[row])
        vectors = [np.zeros(index.vectors.shape[1], np.float32)]
        if query.given:
            vectors = self._worker.submit(self._encode, model, query, parts).result()
        return [_unit(vector + _unit(np.sum(liked, axis=0))) for vector in vectors] if liked else vectors

    def _encode(self, model: Model, query: Query, parts: Sequence[str]) -> list[np.ndarray]:
        encoder = self.zero_shot or self._query_encoder(self.trained[model.name])
        return list(encoder.encode_without([query], [None, *parts])[:, 0])

    def _query_encoder(self, model: Trained) -> QueryEncoder:
        if model.name not in self._queries:
            self._queries[model.name] = QueryEncoder(*load_model(model.folder), self._encoders)
        return self._queries[model.name]

    def _picked(self, index: TrackIndex, search: Search, vector: np.ndarray, request: Request) -> list[int]:
        """Return the rows of the nearest tracks, of each file one, that `request` allows."""
        excluded = excluded_films(index, request.exclude)
        files = {int(index.files[row]) for row in request.like}
        films: dict[int, int] = {}
        rows: list[int] = []
        for block in search.nearest(vector):
            for row, file, film in zip(block, index.files[block], index.films[block], strict=True):
                most = 0 if film in excluded else request.per_film
                if file in files or (most is not None and films.get(film, 0) >= most):
                    continue
                files.add(file)
                films[film] = films.get(film, 0) + 1
                rows.append(int(row))
                if len(rows) == request.k:
                    return rows
        return rows


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


def excluded_films(index: TrackIndex, names: Sequence[str]) -> set[int]:
    """Return the numbers, as `index.films` has them, of films and albums named by id or title.

    Raises `ModelError` for one that is not there, naming similar ones.
    """
    found: set[int] = set()
    for name in names:
        numbers = index.film_names.find(name)
        if not numbers:
            near = index.film_names.similar(name)
            advice = f"; similar are {', '.join(near)}" if near else ""
            raise ModelError(f"exclude: the library has no film or album {name!r}{advice}")
        found.update(numbers)
    return found


def _explain(
    index: TrackIndex, tracks: list[dict[str, Any]], whole: np.ndarray, ablated: dict[str, np.ndarray]
) -> None:
    """Add each track's place among all tracks, and its place and score without each part of the query."""
    rows = [track["row"] for track in tracks]
    scores = index.scores(whole)
    for track, place in zip(tracks, _places(scores, rows), strict=True):
        track |= {"place": place, "without": {}}
    for part, vector in ablated.items():
        scores = index.scores(vector)
        for track, place in zip(tracks, _places(scores, rows), strict=True):
            track["without"][part] = {"score": float(scores[track["row"]]), "place": place}


def _places(scores: np.ndarray, rows: Sequence[int]) -> list[int]:
    """Return the place of each of `rows` among all, from 1; equal scores share the better one."""
    return [1 + int(np.count_nonzero(scores > scores[row])) for row in rows]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
