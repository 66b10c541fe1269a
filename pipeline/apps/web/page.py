"""The search page, and the API documentation page."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pipeline.apps.web.described import ORIGIN
from pipeline.apps.web.rendering import render
from pipeline.apps.web.search import FEW, MAX_TRACKS
from pipeline.apps.web.site import Site

PER_FILM = (1, 2, 3, 5)  # choices for the number of tracks per film or album; the first is the default


def page_routes(site: Site) -> APIRouter:
    """Return the routes of the pages."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @pages.get("/")
    def page() -> str:
        return render(
            "page.html.j2",
            models=sorted(site.models(), key=lambda model: len(model["needs"])),
            libraries=site.libraries(),
            examples=site.examples.suggested(),
            params=site.params,
            few=FEW,
            most=MAX_TRACKS,
            per_film=PER_FILM,
            local=site.access.is_local,
        )

    @pages.get("/docs")
    def docs() -> str:
        return render("docs.html.j2", origin=ORIGIN)

    return pages
