"""The route that finds music: a form in, tracks out."""

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

FEW = 10  # tracks, unless more are asked for
MAX_TRACKS = 200
MAX_LIKED = 100
MAX_EXCLUDED = 200
UNREAD = Image.new("1", (1, 1))  # stands for an image until that is decoded
UNHEARD = np.zeros(0, np.float32)  # stands for a sound until that is embedded
Name = Annotated[str, StringConstraints(max_length=300)]  # of a film: similar ones are looked for
Weight = Annotated[float, Form(ge=0, le=MOST_WEIGHT, allow_inf_nan=False, description="how much it counts, 1 as it is")]


def _limited(what: str, allowed: str, most_chars: int = 40) -> Any:
    return Form(max_length=most_chars, description=f"{what}: {allowed}")


def search_routes(site: Site) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/api", tags=["Search"])
    most_bytes, most_chars = site.params.max_image_bytes, site.params.max_text_chars
    most_sound = site.params.max_sound_bytes

    @api.post(
        "/recommend",
        summary="Find music for a film, or tracks like a track",
        response_model=schema.SearchAnswer,
        response_description="The answer",
        description="Give what is known of the film (an image, tags, a plot), or tracks to find more of, or both. "
        "/api/models lists what each model reads. Without `variant`, of the models that read only what is "
        "given, the one that ranks best on the evaluation films answers. A file gives at most one segment. "
        "Filters leave out tracks before any is ranked, also those whose value is not known; "
        "/api/libraries/{name} says between which bounds they lie.",
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
            str, Form(description="in place of a file: `fid` of a film of the data set, whose poster is the image")
        ] = "",
        tags: Annotated[str, Form(description=f"words for the film, at most {most_chars:,} characters")] = "",
        plot: Annotated[
            str, Form(description=f"the synopsis, a paragraph a line, at most {most_chars:,} characters")
        ] = "",
        variant: Annotated[str, Form(description="name of a model; without it the one that fits")] = "",
        library: Annotated[str, Form(description="name of a library; without it the first one")] = "",
        k: Annotated[int, Form(ge=1, le=MAX_TRACKS, description="how many tracks")] = FEW,
        per_film: Annotated[int | None, Form(ge=1, description="at most so many of a film or album")] = None,
        exclude: Annotated[
            tuple[Name, ...],
            Form(max_length=MAX_EXCLUDED, description="films or albums to leave out, by `fid` or title"),
        ] = (),
        like: Annotated[
            tuple[int, ...], Form(max_length=MAX_LIKED, description="tracks to find more of, each its `row`")
        ] = (),
        sound: Annotated[
            UploadFile | None,
            File(description=f"an audio file to find more of, of at most {most_sound:,} bytes"),
        ] = None,
        less: Annotated[
            tuple[int, ...], Form(max_length=MAX_LIKED, description="tracks to find less of, each its `row`")
        ] = (),
        weight_tags: Weight = 1.0,
        weight_plot: Weight = 1.0,
        weight_image: Weight = 1.0,
        length: Annotated[str, _limited("of the recording", EXAMPLES["length"])] = "",
        tempo: Annotated[str, _limited("of the track", EXAMPLES["tempo"])] = "",
        loudness: Annotated[str, _limited("of the track", EXAMPLES["loudness"])] = "",
        year: Annotated[str, _limited("of the film or album", EXAMPLES["year"])] = "",
        key: Annotated[str, _limited("any of these", "C minor, Bb, major", 300)] = "",
        vocals: Annotated[str, _limited("whether it is sung", "vocal or instrumental")] = "",
        music: Annotated[str, _limited("tags of the music, all of these", "strings, slow", 1000)] = "",
        why: Annotated[bool, Form(description="also find the reasons for each track")] = False,
    ) -> dict[str, Any]:
        for name in ("image", "sound"):
            if (count := len((await sent.form()).getlist(name))) > 1:
                raise Refused(400, f"{name}: found {count} files, one is allowed")
        if image is not None and (image.size or 0) > most_bytes:
            raise Refused(413, f"image: {image.size} bytes, at most {most_bytes} (recommend.max_image_bytes)")
        if sound is not None and (sound.size or 0) > most_sound:
            raise Refused(413, f"sound: {sound.size} bytes, at most {most_sound} (recommend.max_sound_bytes)")
        if image is not None and example:
            raise Refused(422, "image: give a file or an example, not both")

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
