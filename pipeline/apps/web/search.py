"""The route that finds music: a form in, tracks out."""

from dataclasses import replace
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, File, Form, UploadFile
from PIL import Image
from pydantic import StringConstraints

from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request
from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.failures import Refused
from pipeline.apps.web.site import Site, picture

FEW = 10  # tracks, unless more are asked for
MAX_TRACKS = 200
MAX_LIKED = 100
MAX_EXCLUDED = 200
UNREAD = Image.new("1", (1, 1))  # stands for an image until that is decoded
Name = Annotated[str, StringConstraints(max_length=300)]  # of a film: similar ones are looked for


def search_routes(site: Site) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/api", tags=["Search"])
    most_bytes, most_chars = site.params.max_image_bytes, site.params.max_text_chars

    @api.post(
        "/recommend",
        summary="Find music for a film, or tracks like a track",
        response_model=schema.SearchAnswer,
        response_description="The answer",
        description="Give what is known of the film (an image, tags, a plot), or tracks to find more of, or both. "
        "/api/models lists what each model reads. Without `variant`, of the models that read only what is "
        "given, the one that ranks best on the evaluation films answers. A file gives at most one segment.",
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
        why: Annotated[bool, Form(description="tell what each part of the query did")] = False,
    ) -> dict[str, Any]:
        if image is not None and (image.size or 0) > most_bytes:
            raise Refused(413, f"image: {image.size} bytes, at most {most_bytes} (recommend.max_image_bytes)")
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
            per_film=per_film,
            exclude=exclude,
            why=why,
        )

        def answer() -> dict[str, Any]:
            if source is None:
                return site.recommend(request)
            return site.recommend(replace(request, query=replace(query, image=picture(source))))

        await site.opened(request)
        return await to_thread.run_sync(answer, limiter=site.asking)

    return api
