"""One server for all tests of the page and the API, and one browser for those of the page."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.apps.recommend.recommender import Recommender, open_recommender
from pipeline.apps.web.app import create_app
from pipeline.params import Params
from tests.apps.web.small_site import Client, serving, write_own, write_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def site_root(tmp_path_factory: pytest.TempPathFactory, params: Params, tiny_bert: Path, tiny_vit: Path) -> Path:
    """A root folder with trained models, tracks and posters, next to a folder of music."""
    root = tmp_path_factory.mktemp("site") / "root"
    write_world(root, params, tiny_bert, tiny_vit)
    return root


@pytest.fixture(scope="session")
def site_recommender(site_root: Path, params: Params) -> Recommender:
    """The engine over that folder, with two libraries."""
    recommender = open_recommender(site_root, params)
    own = write_own(site_root.parent)
    recommender.libraries[own.name] = own
    return recommender


@pytest.fixture(scope="session")
def client(site_root: Path, site_recommender: Recommender, params: Params) -> Iterator[Client]:
    """A client of a server with a low limit on the size of audio."""
    limits = replace(params.recommend, max_sound_bytes=100_000)
    with serving(create_app(site_recommender, limits, site_root)) as origin:
        yield Client(origin, site_root)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A browser."""
    from tests.apps.web.browser import CHROMIUM, OPTIONS, sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser_page(browser: "Browser", client: Client) -> "Page":
    """A page of the browser."""
    from tests.apps.web.browser import watched

    return watched(browser, client.origin)


@pytest.fixture
def page(browser_page: "Page", client: Client) -> Iterator["Page"]:
    """The page as it opens, wide, all tracks of a film allowed; any error on it fails the test."""
    browser_page.set_viewport_size({"width": 1280, "height": 900})
    browser_page.goto(client.origin)
    browser_page.select_option("#per-film", "")
    yield browser_page
    browser_page.goto("about:blank")  # ends its requests, which would reach the server once no longer routed
    browser_page.unroute_all(behavior="ignoreErrors")
    found = [*browser_page.wrong]
    browser_page.wrong.clear()
    assert not found
