"""Routes for the shortlist, which is stored in the browser: look up its tracks, and export it."""

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
        summary="Look up tracks",
        response_model=schema.LookedUp,
        response_description="The tracks",
        description="Finds tracks by path and start. Unlike these, rows change when a library is reindexed.",
        responses=failures(403, 413, 422),
        openapi_extra=curl("/api/tracks", JSON, f"-d '{{\"tracks\": [{{{FILMS_TRACK}}}]}}'"),
    )
    def tracks(places: schema.Places) -> Row:
        return {"tracks": looked_up(site, places.tracks)}

    @api.post(
        "/export",
        summary="Export a shortlist as a file",
        description="As for search results, with a note for each track. A track that is no longer in its library is "
        "included in CSV and JSON, with its known values, but not in a playlist.",
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
    """Return the track of each `schema.Place`, in order; None if there is no such track."""
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
    """Return the known values of a track that is no longer in its library."""
    known = kept.model_dump(include={"path", "file_start_seconds", "title", "artist", "film"})
    return {name: NOT_KNOWN[name] for name in INDEX_KEYS.names} | known
