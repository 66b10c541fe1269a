"""Libraries of tracks: the data set, or the user's own music, each with one index per model."""

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

INDEXES = "models/.indexes"  # indexes for unpublished variants; may be deleted at any time
FILMS = "films"  # name of the data set's library


class SearchableLibrary(Protocol):
    """Tracks that can be recommended."""

    @property
    def name(self) -> str:
        """The name of the library."""

    @property
    def folder(self) -> Path:
        """The folder that the tracks' paths are relative to."""

    def index(self, model: Model) -> TrackIndex:
        """Return the tracks with their embeddings from `model`.

        Raises `MissingFileError` if there is no such index, `ModelError` if it was made with other weights.
        """


@dataclass(frozen=True)
class FilmLibrary:
    """The tracks of the data set below a repository's root.

    The published model comes with an index; the index for another variant is computed from the audio features on
    first use.
    """

    folder: Path
    batch_size: BatchSize  # windows per batch
    device: torch.device
    name: str = FILMS
    making: threading.Lock = field(default_factory=threading.Lock)  # one index at a time, since all rows are in memory

    def index(self, model: Model) -> TrackIndex:
        if not isinstance(model, Trained):
            raise ModelError(f"the data set has no index for {model.label}: add --library FOLDER with your own music")
        published = self.folder / "models" / PUBLISHED / INDEX
        if model.folder.name == PUBLISHED:  # the only index
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
    """Return `index`, read from `path`; raise `ModelError` if it was made with other weights."""
    if index.about.get("model") != model.digest:
        raise ModelError(
            f"{path} was made with other weights ({str(index.about.get('model'))[:8]}) than {model.label} has now "
            f"({model.digest[:8]}), so their embeddings are not comparable: make the index again"
        )
    return index


def _found(path: Path) -> TrackIndex | None:
    try:
        return open_index(path, "")
    except MissingFileError:
        return None
