"""A published model in any program: `load("hf://OWNER/REPO").recommend(tags=…, plot=…, image=…)`.

It needs no repository, params.yaml or data: the config describes the model completely. Encoders are loaded with the
first query that needs them.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from pipeline.apps.published.folder import AGAIN, published_folder
from pipeline.apps.recommend.formats import records
from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.libraries import FILMS, require_model
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Recommender, Request
from pipeline.apps.recommend.trained import Model, Trained
from pipeline.core.errors import ModelError
from pipeline.core.files import sha256_of
from pipeline.core.machine import Device, choose_device
from pipeline.model.store import WEIGHTS
from pipeline.params import Recommend
from pipeline.store.index import INDEX
from pipeline.store.inputs import needs_of

# Limits protect the user, not the publisher; the values are those of the project's params.yaml. An index of films is
# small enough for exact search.
SETTINGS = Recommend(
    search="exact",
    lists=1024,
    probes=64,
    max_text_chars=50_000,
    max_paragraphs=100,
    max_image_bytes=20_000_000,
    max_sound_bytes=50_000_000,
    max_track_seconds=14_400.0,
)


@dataclass(frozen=True)
class PublishedLibrary:
    """The tracks of a published model's index, without audio."""

    published: Path
    name: str = FILMS
    folder: Path = Path()

    def index(self, model: Model) -> TrackIndex:
        path = self.published / INDEX
        return require_model(open_index(path, AGAIN), model, path)


@dataclass(frozen=True)
class PublishedModel:
    """A published model with the index of its tracks."""

    recommender: Recommender

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs (tags, plot, image) that every query must have."""
        (model,) = self.recommender.models.values()
        return model.needs

    def recommend(
        self,
        tags: str | Sequence[str] | None = None,
        plot: str | None = None,
        image: str | Path | Image.Image | None = None,
        k: int = 10,
        exclude: Sequence[str] = (),
        per_film: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return the `k` tracks that match a film best, best first.

        `tags` are words or phrases, separated by commas or in a list; `plot` is a text with one paragraph per line;
        `image` is a file or a Pillow image. `exclude` names films by id or title; `per_film` limits the tracks of each
        film. Raises `ModelError` if an input of the query is missing or cannot be read.
        """
        joined = tags if isinstance(tags, str) or tags is None else ", ".join(tags)
        picture = Path(image) if isinstance(image, str) else image
        query = Query(None, joined, plot, picture)
        answer = self.recommender.recommend(Request(query, k, exclude=tuple(exclude), per_film=per_film))
        found = records(answer.tracks, lambda track: f"{track['fid']}/{track['number']}")
        return [
            {name: record[name] for name in record if name != "path"} | {"track": record["path"]} for record in found
        ]


def load(model: str | Path, device: Device = "auto") -> PublishedModel:
    """Return the published model in a folder or at `hf://OWNER/REPO`, on `device`.

    Raises `HubError` if the hub is unreachable and the model is not cached, `ModelError` if it is not a valid model.
    """
    return PublishedModel(open_published(str(model), device))


def open_published(model: str, device: Device) -> Recommender:
    """Return the recommender of a published model and its index; raises as `load` does."""
    if device not in get_args(Device):
        raise ModelError(f"device: found {device!r}, allowed are {', '.join(get_args(Device))}")
    folder, config = published_folder(model)
    needs, digest = needs_of(config.inputs), sha256_of(folder / WEIGHTS)
    option = f"--model {shlex.quote(model)}"
    trained = Trained(config.variant, folder, needs, config.drop_inputs > 0, None, {}, (), digest, option)
    settings = (SETTINGS, choose_device(device), trained.name, config.tags_rule)
    return Recommender({trained.name: trained}, {FILMS: PublishedLibrary(folder)}, *settings)
