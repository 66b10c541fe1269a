"""State shared by the routes: the recommender, the tracks of its libraries, the example films."""

import shutil
import time
from asyncio import wrap_future
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import numpy as np
from anyio import CapacityLimiter
from PIL import Image

from pipeline.apps.recommend.formats import public
from pipeline.apps.recommend.recommender import Recommender, Request
from pipeline.apps.recommend.trained import Model
from pipeline.apps.web.access import Access
from pipeline.apps.web.examples import Examples
from pipeline.apps.web.failures import Refused
from pipeline.apps.web.tracks import Tracks, audio_url
from pipeline.core.errors import ModelError
from pipeline.core.variants import FILM_PARTS
from pipeline.media.pictures import BadPictureError, read_picture
from pipeline.params import Recommend
from pipeline.store.inputs import MAX_PIXELS

Row = dict[str, Any]

SOUND = ".audio"  # suffix of an uploaded file; its own name is ignored
AT_ONCE = 2  # concurrent requests with a decoded picture of up to 150 MB; networks run one at a time anyway

Hear = Callable[[Path, Model], np.ndarray]  # from an audio file and a model to the unit vector [e]


@dataclass(frozen=True)
class Site:
    """A recommender with the data and settings of its server."""

    recommender: Recommender
    params: Recommend
    tracks: Tracks
    examples: Examples
    access: Access
    hear: Hear | None = None  # embeds an uploaded audio file
    asking: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(AT_ONCE))

    @property
    def default(self) -> str:
        """Name of the default library."""
        if not self.recommender.libraries:
            raise Refused(503, "no library can be searched yet: indexing is in progress or failed; see Libraries")
        return next(iter(self.recommender.libraries))

    def models(self) -> list[Row]:
        """Return the trained models."""
        return [about(model) for model in self.recommender.models.values()]

    def libraries(self) -> list[Row]:
        """Return the libraries, the default one first."""
        return [{"name": name, "tracks": self.tracks.count(name)} for name in self.recommender.libraries]

    async def opened(self, request: Request) -> None:
        """Wait for the index that answers `request`, without holding a thread or a slot of `asking`."""
        await wrap_future(self.recommender.opening(request))

    def recommend(self, request: Request) -> Row:
        """Return the answer to `request`, as a `schema.SearchAnswer`."""
        began = time.perf_counter()
        answer = self.recommender.recommend(request)
        self.tracks.learn(request.library, answer.model)
        return {
            "model": about(answer.model, answer.given) | {"chosen": answer.chosen},
            "unused": answer.unused,
            "library": request.library,
            "seconds": round(time.perf_counter() - began, 4),
            "filtered": None if answer.filtered is None else asdict(answer.filtered),
            "tracks": [self.addressed(request.library, track) for track in answer.tracks],
        }

    def heard(self, sound: BinaryIO, request: Request) -> np.ndarray:
        """Return the unit vector [e] of an uploaded audio file, from the model that answers `request`.

        The file is decoded like files of a library. Raises `Refused` if it cannot be decoded.
        """
        if self.hear is None:
            raise Refused(422, "sound: this server does not accept audio; use tracks of the library (like)")
        model, _ = self.recommender.model_for(request.query, request.variant)
        with NamedTemporaryFile(suffix=SOUND) as file:
            shutil.copyfileobj(sound, file)
            file.flush()
            try:
                return self.hear(Path(file.name), model)
            except ModelError as error:
                problem = str(error).removeprefix(f"{file.name} ")
                raise Refused(422, f"sound: {problem}; send an audio file such as MP3, FLAC or WAV") from None

    def addressed(self, library: str, track: Row) -> Row:
        """Return a track as a `schema.AddressedTrack`: with the addresses of its file and its film's poster.

        Addresses on the corpus's own server are left empty, and so is a title that is only a file name there.
        """
        url, source_url = public(track["url"]), public(track["source_url"])
        is_named = source_url or track["title"] != PurePosixPath(track["source_url"]).stem
        return track | {
            "title": track["title"] if is_named else "",
            "url": url,
            "source_url": source_url,
            "audio": audio_url(library, track["row"]),
            "image": self.examples.address(track["fid"]),
        }


def about(model: Model, given: Collection[str] = FILM_PARTS) -> Row:
    """Return a model as a `schema.Variant`; with `given`, its inputs and figures for that input."""
    figures = model.figures_of(given)
    return {
        "name": model.name,
        "needs": model.reads(given) or model.needs,
        "any_of": model.answers_subsets,
        "recall_at_10": figures and figures.recall,
        "hit_rate_at_10": figures and figures.hit_rate,
        "chance_hit_rate_at_10": figures and figures.chance_hit_rate,
        "films": figures and figures.films,
    }


def picture(source: Path | BinaryIO) -> Image.Image:
    """Return an uploaded picture; raise `Refused` if it is not a picture, or too large."""
    try:
        return read_picture(source, MAX_PIXELS)
    except BadPictureError as error:
        raise Refused(422, f"image: {error.problem}; send a complete JPEG, PNG, GIF or WebP file") from None
