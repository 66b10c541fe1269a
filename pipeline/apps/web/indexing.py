"""Routes that index the music of `--library`, and list the contents of libraries.

No path comes from a request: libraries are updated by name. Any client with access can have new and changed files read;
only a client on this machine can have all files read again.
"""

from typing import Annotated, Any

import pyarrow.compute as pc
from fastapi import APIRouter, Query
from fastapi.responses import Response

from pipeline.apps.library.background import Background, BusyError
from pipeline.apps.library.opening import Source
from pipeline.apps.library.overview import List, files_csv, formats_of, hours, overview_of
from pipeline.apps.web import indexing_schema as schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.export import BOM, MEDIA_TYPES
from pipeline.apps.web.failures import Refused, without_folders
from pipeline.apps.web.site import Row, Site

BEGUN = 202  # Accepted
BUSY = 409  # Conflict
JSON = '-H "Content-Type: application/json"'
FIXED = "it comes with the model: run `dvc repro` to rebuild it"  # library.js checks how this begins
FAR = "all: true is allowed only if no other machine can reach the server; all: false reads new and changed files"


def indexing_routes(site: Site, background: Background) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["Libraries"])

    @api.get(
        "/indexing",
        summary="All libraries and their indexing states",
        response_model=list[schema.Indexing],
        response_description="The list",
        description="Includes libraries that cannot be searched yet. `changes` is null if not yet known.",
        openapi_extra=curl("/api/indexing"),
    )
    def every() -> list[Row]:
        names = dict.fromkeys([*background.sources, *site.recommender.libraries])
        return [_state(site, background, name, look=False) for name in names]

    @api.get(
        "/libraries/{name}/indexing",
        summary="The indexing state of a library, and the changes since",
        response_model=schema.Indexing,
        response_description="The state",
        description="Starts a scan of the folder; `changes` is null until it has finished.",
        responses=failures(404),
        openapi_extra=curl("/api/libraries/my-library/indexing"),
    )
    def state(name: str) -> Row:
        return _state(site, background, name, look=True)

    @api.post(
        "/libraries/{name}/indexing",
        status_code=BEGUN,
        summary="Update a library",
        response_model=schema.Indexing,
        response_description="Indexing has started",
        description="Reads new and changed files in the library's folder (`--library`). One library is indexed at a "
        "time. Until it is done, searches use the previous index.",
        responses=failures(403, 404, BUSY, 422),
        openapi_extra=curl("/api/libraries/my-library/indexing", JSON, "-d '{}'"),
    )
    def begin(name: str, what: schema.Begin) -> Row:
        if _source(site, background, name) is None:
            raise Refused(422, f"{name} cannot be indexed here: {FIXED}")
        if what.all and not site.access.is_local:
            raise Refused(403, FAR)
        try:
            background.begin(name, what.all)
        except BusyError as error:
            raise Refused(BUSY, str(error)) from None
        return _state(site, background, name, look=False)

    @api.get(
        "/libraries/{name}/files",
        summary="The contents of a library: formats, skipped files, duplicates",
        response_model=schema.Files,
        response_description="The summary",
        description="Lists have at most 200 entries; `/api/libraries/{name}/files/export` returns all.",
        responses=failures(404, 422),
        openapi_extra=curl("/api/libraries/my-library/files"),
    )
    def files(name: str) -> Row:
        source = _source(site, background, name)
        return overview_of(source.place) if source else _of_tracks(site, name)

    @api.get(
        "/libraries/{name}/files/export",
        summary="Export the files of a library as CSV",
        description="For your own music only: all files, skipped files, or files with the same music.",
        response_class=Response,
        responses={200: {"description": "The file", "content": {"text/csv": {}}}, **failures(404, 422)},
        openapi_extra=curl("/api/libraries/my-library/files/export?which=skipped", "-O -J"),
    )
    def exported(name: str, which: Annotated[List, Query(description="which files")]) -> Response:
        source = _source(site, background, name)
        if source is None:
            raise Refused(422, f"{name} has no list of files: only libraries of your own music have one")
        text = BOM + files_csv(source.place, which)
        headers = {"Content-Disposition": f'attachment; filename="{which}-files.csv"'}
        return Response(text.encode("utf-8", "replace"), headers=headers, media_type=MEDIA_TYPES["csv"])

    return api


def _source(site: Site, background: Background, name: str) -> Source | None:
    """Return the source of a library, None if it is not the user's own music; raise `Refused` if unknown."""
    if name not in background.sources and name not in site.recommender.libraries:
        known = ", ".join(dict.fromkeys([*background.sources, *site.recommender.libraries]))
        raise Refused(404, f"library: found {name!r}, allowed are {known}")
    return background.sources.get(name)


def _state(site: Site, background: Background, name: str, look: bool) -> Row:
    source = _source(site, background, name)
    searchable = name in site.recommender.libraries
    if source is None:
        return {"name": name, "searchable": searchable, "refusal": FIXED}
    progress = background.progress(name)
    changes = background.changes(name, look)
    return {
        "name": name,
        "searchable": searchable,
        "refusal": source.refusal,
        "folder": str(source.music) if site.access.is_local else "",
        "reachable": source.music.is_dir(),
        "state": progress.state,
        "label": progress.label,
        "done": progress.done,
        "total": progress.total,
        "reason": without_folders(progress.reason, [source.music, source.place]),
        "changes": changes._asdict() if changes else None,
        "can_read_all": site.access.is_local,
    }


def _of_tracks(site: Site, name: str) -> dict[str, Any]:
    """Return the contents of a library without a source, from its index."""
    table = site.tracks.table(name)
    paths = pc.unique(table["path"]).to_pylist()
    return {
        "files": len(paths),
        "tracks": len(paths),
        "segments": len(table),
        "hours": hours(pc.sum(table["seconds"]).as_py() or 0.0),
        "films": len(pc.unique(table["fid"])),
        "formats": formats_of(paths),
    }
