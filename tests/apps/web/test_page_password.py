"""The page behind a password in a browser: how to log in, and what a link or a form on another site does."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from pipeline.apps.web.access import Access, Keys
from pipeline.apps.web.app import create_app
from tests.apps.web.browser import BROWSER, heading, search, sync_api
from tests.apps.web.small_site import serving

pytestmark = BROWSER

PASSWORD = "a pässword & more"


@pytest.fixture(scope="module")
def origin(site_recommender, params, site_root) -> Iterator[str]:
    """The address of a server with a password."""
    with serving(create_app(site_recommender, params.recommend, site_root, Access(keys=Keys(PASSWORD)))) as origin:
        yield origin


@pytest.fixture(scope="module")
def elsewhere(origin) -> Iterator[str]:
    """The address of a page on another site with a link to the server and a form that posts to it."""
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        form = '<input name="tags" value="war"><button>send</button>'
        return f"""<a href="{origin}/?token=a p%C3%A4ssword %26 more">link</a>
            <form method="post" action="{origin}/api/recommend">{form}</form>"""

    with serving(app) as found:
        yield found.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(browser) -> Iterator["sync_api.Page"]:
    """A page of a fresh browser."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def searched(page) -> None:
    """Search, and play one of the tracks found."""
    search(page)
    heading(page, "8 tracks for your film")
    page.locator("#tracks button.play").first.click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.05)")


def test_form_accepts_the_password(page, origin):
    assert page.goto(origin).status == 401
    sync_api.expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("a guess")
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Open").click()
    heading(page, "Nothing searched yet")
    assert page.url == f"{origin}/"
    searched(page)
    page.goto(f"{origin}/docs")
    page.locator("[data-path='/api/models']").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    sync_api.expect(page.locator(".live-responses-table .response-col_status").last).to_have_text("200")


def test_link_on_another_site_lets_in_and_leaves_no_password_behind(page, origin, elsewhere):
    page.goto(elsewhere)
    page.get_by_role("link").click()
    heading(page, "Nothing searched yet")
    assert page.url == f"{origin}/"
    assert page.evaluate("document.cookie") == ""
    searched(page)


def test_form_of_another_site_is_refused_with_the_cookie(page, origin, elsewhere):
    page.goto(f"{origin}/?token=a p%C3%A4ssword %26 more")
    heading(page, "Nothing searched yet")
    page.goto(elsewhere)
    with page.expect_navigation() as sent:
        page.get_by_role("button").click()
    assert sent.value.status == 403
    assert "error" in sent.value.json()


def test_page_says_so_when_the_server_has_restarted(page, origin):
    page.goto(f"{origin}/?token=a p%C3%A4ssword %26 more")
    sync_api.expect(page.get_by_role("button", name="Find music")).to_be_enabled()
    page.context.clear_cookies()
    search(page)
    sync_api.expect(page.get_by_role("alert")).to_contain_text("password")
