"""The page for people, and the page that describes the API."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.apps.web.described import ORIGIN
from pipeline.apps.web.reference import operations
from pipeline.apps.web.search import FEW, MAX_TRACKS
from pipeline.apps.web.site import Site

TEMPLATES = Path(__file__).parent / "templates"


def page_routes(site: Site, app: FastAPI) -> APIRouter:
    """Return the routes of the pages; `app` is what /docs describes."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    environment.filters["ticked"] = ticked

    @pages.get("/")
    def page() -> str:
        return environment.get_template("page.html.j2").render(
            models=sorted(site.models(), key=lambda model: len(model["needs"])),
            libraries=site.libraries(),
            examples=site.examples.suggested(),
            params=site.params,
            few=FEW,
            most=MAX_TRACKS,
        )

    @pages.get("/docs")
    def docs(request: Request) -> str:
        described = app.openapi()
        origin = str(request.base_url).rstrip("/")
        return environment.get_template("docs.html.j2").render(
            info=described["info"], groups=operations(described, {ORIGIN: origin})
        )

    return pages


def ticked(text: str) -> Markup:
    """Return `text` as HTML in which what stands between backticks is code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup().join(Markup("<code>{}</code>").format(p) if place % 2 else p for place, p in enumerate(pieces))
