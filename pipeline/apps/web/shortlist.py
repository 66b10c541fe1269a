"""Routes for a shortlist, which the browser keeps: where its tracks are now, and the list as a file."""

from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.export import export
from pipeline.apps.web.files import entry_of
from pipeline.apps.web.site import Row, Site
from pipeline.store.index import INDEX_KEYS, NOT_KNOWN

NAME = "shortlist"
JSON = '-H "Content-Type: application/json"'
FILMS_TRACK = '"library": "films", "path": "data/audio/A/A/K/2.mp3", "file_start_seconds": 0.0'


def shortlist_routes(site: Site) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["Shortlist"])

    @api.post(
        "/tracks",
        summary="Where tracks are now",
        response_model=schema.LookedUp,
        response_description="The tracks",
        description="Rows change when a library is indexed again; a file, and where in it, do not.",
        responses=failures(403, 413, 422),
        openapi_extra=curl("/api/tracks", JSON, f"-d '{{\"tracks\": [{{{FILMS_TRACK}}}]}}'"),
    )
    def tracks(places: schema.Places) -> Row:
        return {"tracks": looked_up(site, places.tracks)}

    @api.post(
        "/export",
        summary="A shortlist as a file",
        description="As for the list of an answer, with a note for each track. A track that its library does not have "
        "any more stays in CSV and JSON, with what is known of it; in a playlist it is left out.",
        response_class=Response,
        responses={200: {"description": "The file", "content": {"text/csv": {}}}, **failures(403, 413, 422)},
        openapi_extra=curl(
            "/api/export",
            "-O -J",
            JSON,
            f'-d \'{{"format": "csv", "tracks": [{{{FILMS_TRACK}, "note": "for the chase"}}]}}\'',
        ),
    )
    def exported(request: Request, shortlist: schema.Shortlist) -> Response:
        kept = shortlist.tracks
        rows = [
            (found or _gone(one))
            | {"rank": rank, "score": None, "library": one.library, "note": one.note, "found_for": one.found_for}
            for rank, (one, found) in enumerate(zip(kept, looked_up(site, kept), strict=True), start=1)
        ]

        def where(track: Row) -> str | None:
            return entry_of(site, request.scope, track["library"], track) if "audio" in track else None

        return export(shortlist.format, NAME, {}, rows, where)

    return api


def looked_up(site: Site, places: list[Any]) -> list[Row | None]:
    """Return the track of each `schema.Place`, None for one that is not there, in order."""
    found: dict[int, Row] = {}
    order = sorted(range(len(places)), key=lambda place: places[place].library)
    for library, group in groupby(order, key=lambda place: places[place].library):
        if library not in site.recommender.libraries:
            continue
        of_library = list(group)
        rows = site.tracks.rows_of(library, [(places[n].path, places[n].file_start_seconds) for n in of_library])
        known = {n: row for n, row in zip(of_library, rows, strict=True) if row is not None}
        tracks = site.tracks.rows(library, list(known.values()))
        found |= {n: site.addressed(library, track) for n, track in zip(known, tracks, strict=True)}
    return [found.get(place) for place in range(len(places))]


def _gone(kept: schema.KeptTrack) -> Row:
    """Return what is known of a track that its library does not have any more."""
    known = kept.model_dump(include={"path", "file_start_seconds", "title", "artist", "film"})
    return {name: NOT_KNOWN[name] for name in INDEX_KEYS.names} | known
