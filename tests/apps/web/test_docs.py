"""The page that describes the HTTP API: complete, usable, served from here alone, and accessible."""

import json

import pytest

from tests.apps.web.browser import BROWSER, sync_api

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (requirements-dev.txt)")
pytestmark = BROWSER

SCRIPTS = "[...document.scripts].map((script) => [script.getAttribute('src'), script.text])"
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture
def docs(browser_page, client):
    """The page as it opens, wide and light; any error on it fails the test."""
    browser_page.set_viewport_size({"width": 1280, "height": 900})
    browser_page.goto(f"{client.origin}/docs")
    sync_api.expect(browser_page.locator(".opblock").first).to_be_visible()
    yield browser_page
    browser_page.emulate_media(color_scheme=None)
    found = [*browser_page.wrong]
    browser_page.wrong.clear()
    assert not found


def operation(page, method, path):
    """Return the operation, expanded and ready to try."""
    found = page.locator(f".opblock-{method}").filter(has=page.locator(f"[data-path='{path}']"))
    found.locator(".opblock-summary-control").click()
    found.get_by_role("button", name="Try it out").click()
    return found


def execute(found):
    """Execute an operation; return the status and the displayed answer."""
    found.get_by_role("button", name="Execute").click()
    answer = found.locator(".live-responses-table tbody")
    sync_api.expect(answer).to_be_visible()
    return answer.locator(".response-col_status").inner_text().strip(), answer


def serious(page):
    """Return the serious problems that axe-core finds."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{it['id']}: {node['html']}" for it in found for node in it["nodes"] if it["impact"] in ("serious", "critical")
    ]


def test_every_operation_is_there_with_its_example(docs, client):
    described = client.get("/openapi.json").json()
    shown = docs.locator(".opblock-summary-path").evaluate_all("(paths) => paths.map((path) => path.dataset.path)")
    assert sorted(shown) == sorted(path for path, methods in described["paths"].items() for _ in methods)
    docs.locator("[data-path='/api/models']").click()
    assert f"curl {client.origin}/api/models" in docs.locator(".opblock-description pre").inner_text()
    assert all(text == "" for _, text in docs.evaluate(SCRIPTS)), "a script inside of the page"
    assert docs.get_by_role("link", name="Search page").get_attribute("href") == "/"


def test_a_search_runs_with_the_prefilled_values(docs):
    found = operation(docs, "post", "/api/recommend")
    found.get_by_label("tags", exact=True).fill("war dog")
    with docs.expect_request("**/api/recommend") as sent:
        status, answer = execute(found)
    assert status == "200"
    assert json.loads(answer.locator("pre.microlight").first.inner_text())["tracks"][0]["rank"] == 1
    assert "war dog" in sent.value.post_data
    assert not any(f'name="{name}"' in sent.value.post_data for name in ("image", "plot", "like", "library"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_accessible(docs, width, scheme):
    docs.set_viewport_size({"width": width, "height": 900})
    docs.emulate_media(color_scheme=scheme)
    poster = operation(docs, "get", "/api/examples/{fid}/image")
    poster.get_by_role("textbox", name="fid").fill("AAF")
    assert execute(poster)[0] == "200"
    sync_api.expect(poster.get_by_role("img", name="Image in the response")).to_be_visible()
    operation(docs, "post", "/api/recommend")
    assert serious(docs) == []
    assert docs.evaluate(WIDTH) <= width
    assert docs.evaluate("document.documentElement.classList.contains('dark-mode')") == (scheme == "dark")
