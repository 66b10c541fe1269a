"""What the routes share: the engine, the tracks of its libraries, the example films."""

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

SOUND = ".audio"  # of a file that somebody sends: what it is called there counts for nothing
AT_ONCE = 2  # requests that hold a decoded picture, of up to 150 MB each; networks run one after another anyway

Hear = Callable[[Path, Model], np.ndarray]  # of an audio file and a model: the unit vector [e]


@dataclass(frozen=True)
class Site:
    """A recommender and what is beside it."""

    recommender: Recommender
    params: Recommend
    tracks: Tracks
    examples: Examples
    access: Access
    hear: Hear | None = None  # what embeds an audio file that somebody sends
    asking: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(AT_ONCE))

    @property
    def default(self) -> str:
        """Name of the library that is searched when none is named."""
        if not self.recommender.libraries:
            raise Refused(
                503, "nothing can be searched yet: your music is being indexed, or that failed; see Libraries"
            )
        return next(iter(self.recommender.libraries))

    def models(self) -> list[Row]:
        """Return the trained models."""
        return [about(model) for model in self.recommender.models.values()]

    def libraries(self) -> list[Row]:
        """Return the libraries, the default one first."""
        return [{"name": name, "tracks": self.tracks.count(name)} for name in self.recommender.libraries]

    async def opened(self, request: Request) -> None:
        """Wait for the index that `request` is answered from, with no thread and no place of `asking` held."""
        await wrap_future(self.recommender.opening(request))

    def recommend(self, request: Request) -> Row:
        """Return the answer to `request` as `schema.SearchAnswer` has it."""
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
        """Return the unit vector [e] of an audio file that somebody sent, by the model that answers `request`.

        It is decoded as files of a library are. Raises `Refused` where it cannot be.
        """
        if self.hear is None:
            raise Refused(422, "sound: this server reads no audio; name tracks of the library (like)")
        model, _ = self.recommender.model_for(request.query, request.variant)
        with NamedTemporaryFile(suffix=SOUND) as file:
            shutil.copyfileobj(sound, file)
            file.flush()
            try:
                return self.hear(Path(file.name), model)
            except ModelError as error:
                problem = str(error).removeprefix(f"{file.name} ")
                raise Refused(422, f"sound: {problem}; an audio file such as MP3, FLAC or WAV is needed") from None

    def addressed(self, library: str, track: Row) -> Row:
        """Return a track as `schema.AddressedTrack` has it: with the addresses of its file and of its film's poster.

        Addresses on the corpus's own server are left out, and a title that is but the name of a file there.
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
    """Return what `schema.Variant` says of a model; of one that answered, what it read of what was given."""
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
    """Return a picture that somebody sent; raise `Refused` when it is none, or too large."""
    try:
        return read_picture(source, MAX_PIXELS)
    except BadPictureError as error:
        raise Refused(422, f"image: {error.problem}; a whole JPEG, PNG, GIF or WebP file is needed") from None
