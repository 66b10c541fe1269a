"""Routes that tell what there is: models, libraries, example films."""

from fastapi import APIRouter

from pipeline.apps.web import schema
from pipeline.apps.web.described import curl, failures
from pipeline.apps.web.site import Row, Site

LIST = "The list"


def listing_routes(site: Site) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api", tags=["What there is"])

    @api.get(
        "/models",
        response_model=list[schema.Variant],
        summary="The trained models, and what each needs",
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
        description="The first one is searched when none is named.",
        openapi_extra=curl("/api/libraries"),
    )
    def libraries() -> list[Row]:
        return site.libraries()

    @api.get(
        "/libraries/{name}",
        response_model=schema.LibrarySummary,
        summary="What a library holds, and what it can be filtered by",
        response_description="The summary",
        description="It waits for the library's index where that was not searched yet.",
        responses=failures(404, 422),
        openapi_extra=curl("/api/libraries/films"),
    )
    def library(name: str) -> Row:
        return {"name": name} | site.tracks.summary(name)

    @api.get(
        "/examples",
        response_model=list[schema.ExampleFilm],
        summary="A few films to try it with",
        response_description=LIST,
        description="They are of the data set's evaluation split: no model was trained on them. There is none where "
        "there is no data set.",
        openapi_extra=curl("/api/examples"),
    )
    def examples() -> list[Row]:
        return site.examples.suggested()

    return api
