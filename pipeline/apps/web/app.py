"""The ASGI application: routes, middleware and exception handlers."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from pipeline.apps.library.background import Background
from pipeline.apps.recommend.recommender import Recommender
from pipeline.apps.web.access import Access
from pipeline.apps.web.described import describe
from pipeline.apps.web.examples import read_examples
from pipeline.apps.web.failures import answer_failures
from pipeline.apps.web.files import file_routes
from pipeline.apps.web.guards import BodyLimit, Hosts, OwnPages, SecurityHeaders, ServerErrors
from pipeline.apps.web.indexing import indexing_routes
from pipeline.apps.web.listing import listing_routes
from pipeline.apps.web.page import page_routes
from pipeline.apps.web.password import Password
from pipeline.apps.web.search import search_routes
from pipeline.apps.web.shortlist import shortlist_routes
from pipeline.apps.web.site import Hear, Site
from pipeline.apps.web.tracks import Tracks
from pipeline.params import Recommend

STATIC = Path(__file__).parent / "static"
SWAGGER = ("fastapi_swagger", "resources")  # the package with Swagger UI, and its folder
BYTES_A_CHAR = 4  # maximum in UTF-8
OTHER_FIELDS_BYTES = 100_000  # of a form, without its files, tags and plot
ABOUT = (
    "Find music for a film: send its image, tags and plot, and get the best tracks of a library, best first. "
    'Errors have a status of 400 or higher and a JSON body with the reason: `{"error": "..."}`. '
)
OPEN = "No password is set: anyone who can reach this server can search its libraries and play their files."
PROTECTED = "Every request needs the server's password: `Authorization: Bearer PASSWORD`."


def create_app(
    recommender: Recommender,
    params: Recommend,
    root: Path,
    access: Access | None = None,
    hear: Hear | None = None,
    background: Background | None = None,
) -> FastAPI:
    """Return the application that serves the page and the API.

    `root` is the repository whose data set provides the example films, if there is one. `access` restricts who can use
    the server (default: anyone on loopback). `hear` embeds uploaded audio files; without it they are refused.
    `background` indexes libraries while the server runs.
    """
    access = access or Access()
    site = Site(recommender, params, Tracks(recommender), read_examples(root), access, hear)
    texts = 2 * BYTES_A_CHAR * params.max_text_chars
    most = params.max_image_bytes + params.max_sound_bytes + texts + OTHER_FIELDS_BYTES
    app = FastAPI(
        title="Soundtracks",
        version="1",
        description=ABOUT + (PROTECTED if access.keys else OPEN),
        docs_url=None,  # FastAPI's own page loads Swagger UI from a CDN and has an inline script
        redoc_url=None,
        form_limits={"max_part_size": most, "max_files": 2},  # large enough for the application's own error messages
    )
    for routes in (
        search_routes(site),
        listing_routes(site),
        file_routes(site),
        shortlist_routes(site),
        indexing_routes(site, background or Background(recommender)),
        page_routes(site),
    ):
        app.include_router(routes)
    app.mount("/static", StaticFiles(directory=STATIC))
    package, folder = SWAGGER
    app.mount("/swagger", StaticFiles(directory=Path(str(files(package))) / folder))
    describe(app, access.keys is not None)
    answer_failures(app, [root, *(library.folder for library in recommender.libraries.values())])
    app.add_middleware(
        BodyLimit,
        most=most,
        message=f"request: more than {most} bytes; at most {params.max_image_bytes} for an image "
        f"(recommend.max_image_bytes), {params.max_sound_bytes} for a sound (recommend.max_sound_bytes)",
    )
    if access.keys is not None:
        app.add_middleware(Password, keys=access.keys, secure=access.address.startswith("https:"))
    app.add_middleware(OwnPages, access=access)
    app.add_middleware(Hosts, access=access)
    app.add_middleware(ServerErrors)
    app.add_middleware(SecurityHeaders)  # the outermost
    return app
