"""Routes that send files: tracks, posters and exported lists."""

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

NAME = "soundtracks"  # file name of exported results
KEPT = {"Cache-Control": "private, max-age=300"}  # for posters
Score = Annotated[float, Query(allow_inf_nan=False)]


def file_routes(site: Site) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["Files"])

    @api.get(
        "/libraries/{name}/tracks/{row}/audio",
        summary="A track's file",
        description="Range requests are supported. A track of your own music is a segment of its file: it starts at "
        "`file_start_seconds` and lasts `seconds`.",
        response_class=FileResponse,
        responses={
            200: {"description": "The file", "content": {"audio/*": {}}},
            206: {"description": "The requested range"},
            **failures(400, 404, 416),
        },
        openapi_extra=curl("/api/libraries/films/tracks/348/audio", "-o track.mp3"),
    )
    @api.head("/libraries/{name}/tracks/{row}/audio", include_in_schema=False)
    def audio(name: str, row: int) -> FileResponse:
        return audio_answer(site.tracks.file(name, row))

    @api.get(
        "/libraries/{name}/tracks/{row}/peaks",
        summary="The waveform outline of a track's file",
        response_model=schema.Outline,
        response_description="The outline",
        description="`peaks` is null if the library was indexed without them.",
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
        description="Works for any film of the data set that has a poster.",
        response_class=FileResponse,
        responses={200: {"description": "The picture", "content": {"image/jpeg": {}}}, **failures(404)},
        openapi_extra=curl("/api/examples/AAK/image", "-o poster.jpg"),
    )
    def poster(fid: str) -> FileResponse:
        return FileResponse(site.examples.poster(fid), headers=KEPT)

    @api.get(
        "/export",
        summary="Export tracks as a file",
        description="CSV for spreadsheets, M3U8 for media players, or JSON. An M3U8 playlist lists file paths if only "
        "this machine can reach the server, and otherwise addresses on the server, which need no password and are "
        "valid until it stops.",
        response_class=Response,
        responses={200: {"description": "The file", "content": {"text/csv": {}}}, **failures(404, 422)},
        openapi_extra=curl("/api/export?format=csv&row=348&row=115", "-O -J"),
    )
    def exported(
        request: Request,
        format: Annotated[schema.Format, Query(description="file format")],
        row: Annotated[tuple[int, ...], Query(max_length=MAX_TRACKS, description="the tracks in order, by `row`")],
        score: Annotated[
            tuple[Score, ...], Query(max_length=MAX_TRACKS, description="optional scores, one per track")
        ] = (),
        library: Annotated[str, Query(description="name of a library (default: the first one)")] = "",
    ) -> Response:
        if score and len(score) != len(row):
            raise Refused(422, f"score: found {len(score)} scores for {len(row)} tracks; send one per track or none")
        name = library or site.default
        tracks = [
            site.addressed(name, track) | {"rank": rank, "score": score[rank - 1] if score else None}
            for rank, track in enumerate(site.tracks.rows(name, row), start=1)
        ]
        return export(format, NAME, {"library": name}, tracks, lambda track: entry_of(site, request.scope, name, track))

    return api


def entry_of(site: Site, scope: Any, library: str, track: Row) -> str:
    """Return a playlist entry for a track: a path for a client on this machine, otherwise an address."""
    path = site.tracks.found(library, track) if site.access.is_local else None
    return file_entry(path) if path else site.access.link(scope, track["audio"])
