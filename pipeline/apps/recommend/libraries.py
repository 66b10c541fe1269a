"""What can be recommended: the tracks of the data set, or one's own music. Either has an index for each model."""

import json
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.trained import PUBLISHED, Model, Trained
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.machine import BatchSize
from pipeline.model.index import index_films, sources_of
from pipeline.model.store import CONFIG
from pipeline.store.index import INDEX

log = logging.getLogger(__name__)

INDEXES = "models/.indexes"  # those of variants that are not published; may be deleted at any time
FILMS = "films"  # name of the data set's library


class SearchableLibrary(Protocol):
    """Tracks that can be recommended."""

    @property
    def name(self) -> str:
        """What it is called among others."""

    @property
    def folder(self) -> Path:
        """The folder below which the tracks' paths lie."""

    def index(self, model: Model) -> TrackIndex:
        """Return the tracks with their embeddings by `model`.

        Raises `MissingFileError` when there is no such index, `ModelError` when it was made with other weights.
        """


@dataclass(frozen=True)
class FilmLibrary:
    """The tracks of the data set below a repository's root.

    The published model has its index; one for another variant is made of the audio features when it is asked for.
    """

    folder: Path
    batch_size: BatchSize  # windows embedded at once
    device: torch.device
    name: str = FILMS
    making: threading.Lock = field(default_factory=threading.Lock)  # one index at a time: each has all rows in memory

    def index(self, model: Model) -> TrackIndex:
        if not isinstance(model, Trained):
            raise ModelError(f"the data set has no index by {model.label}: name music of your own with --library")
        published = self.folder / "models" / PUBLISHED / INDEX
        if model.folder.name == PUBLISHED:  # all there is
            return require_model(open_index(published, "run `dvc repro publish`"), model, published)
        sources = self._sources(model)
        made = self.folder / INDEXES / f"{model.name}.parquet"
        for path in (published, made):
            index = _found(path)
            if index and index.about["variant"] == model.name and sources.items() <= index.about.items():
                return index
        with self.making:
            log.info("indexing the data set with M-%s ...", model.name)
            inputs = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))["inputs"]
            index_films(self.folder, made, model.name, inputs, self.batch_size, self.device)
        return open_index(made, "try again")

    def _sources(self, model: Trained) -> dict[str, str]:
        try:
            return sources_of(self.folder, model.name)
        except FileNotFoundError as error:
            raise MissingFileError(f"{error.filename} is missing: run `dvc repro`") from None


def require_model(index: TrackIndex, model: Model, path: Path) -> TrackIndex:
    """Return `index`, which was read from `path`; raise `ModelError` when it was made with other weights."""
    if index.about.get("model") != model.digest:
        raise ModelError(
            f"{path} was made with another model than {model.label} as it is now (weights "
            f"{str(index.about.get('model'))[:8]}, here {model.digest[:8]}), so their embeddings have nothing to do "
            "with each other: make the index again"
        )
    return index


def _found(path: Path) -> TrackIndex | None:
    try:
        return open_index(path, "")
    except MissingFileError:
        return None
