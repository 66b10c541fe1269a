"""The search route: takes a form, returns tracks."""

from dataclasses import replace
from typing import Annotated, Any

import fastapi
import numpy as np
from anyio import to_thread
from fastapi import APIRouter, File, Form, UploadFile
from PIL import Image
from pydantic import StringConstraints

from pipeline.apps.recommend.filters import EXAMPLES, parse_filters
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request
from pipeline.apps.recommend.steering import MOST_WEIGHT
from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.failures import Refused
from pipeline.apps.web.site import Site, picture

FEW = 10  # tracks by default
MAX_TRACKS = 200
MAX_LIKED = 100
MAX_EXCLUDED = 200
UNREAD = Image.new("1", (1, 1))  # placeholder for an image that is not decoded yet
UNHEARD = np.zeros(0, np.float32)  # placeholder for a sound that is not embedded yet
Name = Annotated[str, StringConstraints(max_length=300)]  # of a film; bounded, since similar names are searched for
Weight = Annotated[
    float, Form(ge=0, le=MOST_WEIGHT, allow_inf_nan=False, description="weight of this part; 0 ignores it")
]


def _limited(what: str, allowed: str, most_chars: int = 40) -> Any:
    return Form(max_length=most_chars, description=f"{what}: {allowed}")


def search_routes(site: Site) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/api", tags=["Search"])
    most_bytes, most_chars = site.params.max_image_bytes, site.params.max_text_chars
    most_sound = site.params.max_sound_bytes

    @api.post(
        "/recommend",
        summary="Find music for a film, or tracks similar to a track",
        response_model=schema.SearchAnswer,
        response_description="The answer",
        description="Send an image, tags or a plot of the film, or tracks to find more of, or both. "
        "/api/models lists the inputs of each model. Without `variant`, the model is the one that ranks best on the "
        "test films, among those that fit the inputs. At most one segment per file is returned. "
        "Filters apply before ranking; tracks whose value is unknown do not pass. "
        "/api/libraries/{name} lists the bounds of their values.",
        responses=failures(403, 413, 422),
        openapi_extra=curl(
            "/api/recommend",
            '-F tags="vampire horror german 1922"',
            '-F plot="<plot.txt"',
            "-F image=@poster.jpg",
            "-F k=5",
            "-F why=true",
        ),
    )
    async def recommend(
        sent: fastapi.Request,
        image: Annotated[
            UploadFile | None, File(description=f"a JPEG, PNG, GIF or WebP file of at most {most_bytes:,} bytes")
        ] = None,
        example: Annotated[
            str, Form(description="instead of a file: `fid` of a film of the data set, whose poster is used")
        ] = "",
        tags: Annotated[str, Form(description=f"tags of the film, at most {most_chars:,} characters")] = "",
        plot: Annotated[
            str, Form(description=f"the synopsis, one paragraph per line, at most {most_chars:,} characters")
        ] = "",
        variant: Annotated[str, Form(description="name of a model (default: the best one that fits)")] = "",
        library: Annotated[str, Form(description="name of a library (default: the first one)")] = "",
        k: Annotated[int, Form(ge=1, le=MAX_TRACKS, description="number of tracks")] = FEW,
        per_film: Annotated[int | None, Form(ge=1, description="maximum number of tracks per film or album")] = None,
        exclude: Annotated[
            tuple[Name, ...],
            Form(max_length=MAX_EXCLUDED, description="films or albums to leave out, by `fid` or title"),
        ] = (),
        like: Annotated[
            tuple[int, ...], Form(max_length=MAX_LIKED, description="tracks to find more of, by `row`")
        ] = (),
        sound: Annotated[
            UploadFile | None,
            File(description=f"an audio file to find similar tracks to, at most {most_sound:,} bytes"),
        ] = None,
        less: Annotated[
            tuple[int, ...], Form(max_length=MAX_LIKED, description="tracks to find less of, by `row`")
        ] = (),
        weight_tags: Weight = 1.0,
        weight_plot: Weight = 1.0,
        weight_image: Weight = 1.0,
        length: Annotated[str, _limited("of the recording", EXAMPLES["length"])] = "",
        tempo: Annotated[str, _limited("of the track", EXAMPLES["tempo"])] = "",
        loudness: Annotated[str, _limited("of the track", EXAMPLES["loudness"])] = "",
        year: Annotated[str, _limited("of the film or album", EXAMPLES["year"])] = "",
        key: Annotated[str, _limited("any of these keys", "C minor, Bb, major", 300)] = "",
        vocals: Annotated[str, _limited("with or without singing", "vocal or instrumental")] = "",
        music: Annotated[str, _limited("all of these tags of the music", "strings, slow", 1000)] = "",
        why: Annotated[bool, Form(description="also return the reasons for each track")] = False,
    ) -> dict[str, Any]:
        for name in ("image", "sound"):
            if (count := len((await sent.form()).getlist(name))) > 1:
                raise Refused(400, f"{name}: found {count} files, one is allowed")
        if image is not None and (image.size or 0) > most_bytes:
            raise Refused(413, f"image: {image.size} bytes, at most {most_bytes} (recommend.max_image_bytes)")
        if sound is not None and (sound.size or 0) > most_sound:
            raise Refused(413, f"sound: {sound.size} bytes, at most {most_sound} (recommend.max_sound_bytes)")
        if image is not None and example:
            raise Refused(422, "image: send a file or an example, not both")

        source = image.file if image is not None else site.examples.poster(example) if example else None
        query = Query(None, tags, plot.replace("\r\n", "\n"), UNREAD if source else None)
        request = Request(
            query,
            k,
            library=library or site.default,
            variant=variant or None,
            like=like,
            sounds=() if sound is None else (UNHEARD,),
            less=less,
            weights={"tags": weight_tags, "plot": weight_plot, "image": weight_image},
            filters=parse_filters(
                {
                    "length": length,
                    "tempo": tempo,
                    "loudness": loudness,
                    "year": year,
                    "key": key,
                    "vocals": vocals,
                    "music": music,
                }
            ),
            per_film=per_film,
            exclude=exclude,
            why=why,
        )

        def answer() -> dict[str, Any]:
            asked = request
            if source is not None:
                asked = replace(asked, query=replace(query, image=picture(source)))
            if sound is not None:
                asked = replace(asked, sounds=(site.heard(sound.file, asked),))
            return site.recommend(asked)

        await site.opened(request)
        return await to_thread.run_sync(answer, limiter=site.asking)

    return api
