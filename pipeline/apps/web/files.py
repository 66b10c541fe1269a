"""Routes that send files: tracks, posters, and lists of tracks."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.export import export, file_entry
from pipeline.apps.web.failures import Refused
from pipeline.apps.web.search import MAX_TRACKS
from pipeline.apps.web.site import Row, Site
from pipeline.apps.web.tracks import audio_answer

NAME = "soundtracks"  # of a list of results
KEPT = {"Cache-Control": "private, max-age=300"}  # a poster, by the browser
Score = Annotated[float, Query(allow_inf_nan=False)]


def file_routes(site: Site) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["Files"])

    @api.get(
        "/libraries/{name}/tracks/{row}/audio",
        summary="A track's file",
        description="Parts of it may be asked for (Range). A track of one's own music is a segment of its file, from "
        "`file_start_seconds` on for `seconds`.",
        response_class=FileResponse,
        responses={
            200: {"description": "The file", "content": {"audio/*": {}}},
            206: {"description": "The part that was asked for"},
            **failures(400, 404, 416),
        },
        openapi_extra=curl("/api/libraries/films/tracks/348/audio", "-o track.mp3"),
    )
    @api.head("/libraries/{name}/tracks/{row}/audio", include_in_schema=False)
    def audio(name: str, row: int) -> FileResponse:
        return audio_answer(site.tracks.file(name, row))

    @api.get(
        "/libraries/{name}/tracks/{row}/peaks",
        summary="How loud a track's file is",
        response_model=schema.Outline,
        response_description="The outline of the file",
        description="To draw it. `peaks` is null where the library was indexed without them.",
        responses=failures(404),
        openapi_extra=curl("/api/libraries/films/tracks/348/peaks"),
    )
    def peaks(name: str, row: int) -> Row:
        (track,) = site.tracks.rows(name, [row])
        found = site.tracks.peaks(name, row)
        seconds = track["seconds"] if track["fid"] else track["recording_seconds"]
        return {"peaks": None if found is None else list(found), "seconds": seconds}

    @api.get(
        "/examples/{fid}/image",
        summary="A film's poster",
        description="Of any film of the data set.",
        response_class=FileResponse,
        responses={200: {"description": "The picture", "content": {"image/jpeg": {}}}, **failures(404)},
        openapi_extra=curl("/api/examples/AAK/image", "-o poster.jpg"),
    )
    def poster(fid: str) -> FileResponse:
        return FileResponse(site.examples.poster(fid), headers=KEPT)

    @api.get(
        "/export",
        summary="A list of tracks as a file",
        description="CSV for a spreadsheet, M3U8 for a player, or JSON. The M3U8 has the paths of the files where "
        "only this machine reaches the server; else addresses on the server, which open without a password until it "
        "ends.",
        response_class=Response,
        responses={200: {"description": "The file", "content": {"text/csv": {}}}, **failures(404, 422)},
        openapi_extra=curl("/api/export?format=csv&row=348&row=115", "-O -J"),
    )
    def exported(
        request: Request,
        format: Annotated[schema.Format, Query(description="of the file")],
        row: Annotated[
            tuple[int, ...], Query(max_length=MAX_TRACKS, description="the tracks in order, each its `row`")
        ],
        score: Annotated[
            tuple[Score, ...], Query(max_length=MAX_TRACKS, description="their scores, to be in the file as well")
        ] = (),
        library: Annotated[str, Query(description="name of a library; without it the first one")] = "",
    ) -> Response:
        if score and len(score) != len(row):
            raise Refused(422, f"score: found {len(score)}, there are {len(row)} tracks")
        name = library or site.default
        tracks = [
            site.addressed(name, track) | {"rank": rank, "score": score[rank - 1] if score else None}
            for rank, track in enumerate(site.tracks.rows(name, row), start=1)
        ]
        return export(format, NAME, {"library": name}, tracks, lambda track: entry_of(site, request.scope, name, track))

    return api


def entry_of(site: Site, scope: Any, library: str, track: Row) -> str:
    """Return a track as a line of a playlist, for who sent the request of `scope`."""
    path = site.tracks.found(library, track) if site.access.is_local else None
    return file_entry(path) if path else site.access.link(scope, track["audio"])
