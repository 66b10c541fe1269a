"""Routes that list models, libraries and example films."""

from fastapi import APIRouter

from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.site import Row, Site

LIST = "The list"


def listing_routes(site: Site) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["Models and libraries"])

    @api.get(
        "/models",
        response_model=list[schema.Variant],
        summary="The trained models and their inputs",
        response_description=LIST,
        openapi_extra=curl("/api/models"),
    )
    def models() -> list[Row]:
        return site.models()

    @api.get(
        "/libraries",
        response_model=list[schema.LibraryInfo],
        summary="The libraries that can be searched",
        response_description=LIST,
        description="The first one is the default.",
        openapi_extra=curl("/api/libraries"),
    )
    def libraries() -> list[Row]:
        return site.libraries()

    @api.get(
        "/libraries/{name}",
        response_model=schema.LibrarySummary,
        summary="The size of a library, and its filters",
        response_description="The summary",
        description="The first request waits until the library's index is open.",
        responses=failures(404, 422),
        openapi_extra=curl("/api/libraries/films"),
    )
    def library(name: str) -> Row:
        return {"name": name} | site.tracks.summary(name)

    @api.get(
        "/examples",
        response_model=list[schema.ExampleFilm],
        summary="A few example films",
        response_description=LIST,
        description="Films of the data set's test set, on which no model was trained. Empty without a data set.",
        openapi_extra=curl("/api/examples"),
    )
    def examples() -> list[Row]:
        return site.examples.suggested()

    return api
