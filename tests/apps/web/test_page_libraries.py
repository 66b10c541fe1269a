"""Own music on the page: indexed there, then searched; failures, and skipped files."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.apps.web.browser import BROWSER, heading, search, sync_api, watched
from tests.apps.web.indexing_site import World, indexing_site

pytestmark = BROWSER

LONG = "Wv" * 150  # 300 characters, unbroken
HOSTILE = "<img src=x onerror=alert(1)>.mp3"
WIDER = """() => [document.documentElement, document.querySelector("#libraries")]
    .map((node) => node.scrollWidth - node.clientWidth)"""


@pytest.fixture(scope="module")
def world(site_root, params, tmp_path_factory) -> Iterator[World]:
    with indexing_site(tmp_path_factory.mktemp("indexing"), params, site_root / "models/Words") as world:
        yield world


@pytest.fixture(scope="module")
def page(browser, world):
    page = watched(browser, world.origin)
    page.goto(world.origin)
    yield page
    assert [text for text in page.wrong if "422" not in text] == []  # there is no data set


def test_music_is_indexed_from_the_page_and_then_searched(page, world):
    expect = sync_api.expect
    option = page.locator("#library option[value=Music]")
    expect(option).to_have_text("Music (not indexed)")
    expect(option).to_be_disabled()
    page.get_by_role("button", name="Libraries").press("Enter")
    dialog = page.get_by_role("dialog", name="Libraries")
    own = dialog.get_by_role("region", name="Music")
    expect(own).to_contain_text("Not indexed yet.")
    own.get_by_role("button", name="Index").press("Enter")
    expect(own.get_by_role("progressbar", name="Indexing Music")).to_be_visible()
    expect(own.get_by_role("button", name="Index")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#libraries-said")).to_have_text("Music: Waiting …")
    world.go.set()
    expect(page.locator("#libraries-said")).to_have_text("Music is indexed and can be searched.", timeout=60_000)
    expect(own).to_contain_text("4 tracks · ")
    expect(own).to_contain_text("No changes in its folder.")
    own.get_by_text("1 file skipped: corrupt 1").click()
    expect(own.get_by_text("=broken.mp3")).to_be_visible()
    own.get_by_text("1 file repeats another").click()
    expect(own.get_by_text("Identical files: again.mp3, fire.mp3")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Libraries")).to_be_focused()
    expect(option).to_be_enabled()
    page.select_option("#library", "Music")
    search(page)
    heading(page, "3 tracks for your film")
    with page.expect_request("**/api/recommend"):  # the displayed rows now belong to other tracks
        page.evaluate("document.dispatchEvent(new CustomEvent('indexed', { detail: 'Music' }))")


@pytest.mark.parametrize("width", [1280, 390])
def test_errors_and_strange_names_are_text_that_fits(page, world, width):
    known = {"name": LONG, "folder": f"/{LONG}", "searchable": True, "reachable": True, "can_read_all": True}
    known |= {"refusal": "", "label": "", "done": 0, "total": 0, "changes": {"new": 2, "changed": 0, "removed": 1}}
    files = {"files": 3, "tracks": 1, "segments": 1, "hours": 0.1, "bytes": 5_000_000, "films": 1}
    files |= {"formats": [{"format": "mp3", "files": 1}]}
    files |= {"skipped": 250, "statuses": [{"status": "too_short", "files": 250}]}
    files |= {"skipped_files": [{"path": HOSTILE, "status": "too_short", "reason": LONG}]}
    files |= {"repeats": 1, "duplicates": [{"same": "recording", "files": [LONG, HOSTILE]}]}
    states = [known | {"state": "idle"}, known | {"name": "other", "state": "failed", "reason": f"<b>{LONG}\nnext"}]
    answers = {"/api/indexing$": states, "/libraries/.*/indexing$": states[0], "/files$": files}
    for end, answer in answers.items():
        page.route(re.compile(end), answering(answer))
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.get_by_role("button", name="Libraries").click()
    sync_api.expect(page.locator("#libraries-open")).to_have_text("Libraries (6 changed)")
    own = page.get_by_role("region", name=LONG)
    sync_api.expect(own).to_contain_text("Since it was indexed: 2 new, 1 removed")
    own.get_by_text("250 files skipped: too short 250").click()
    sync_api.expect(own.get_by_text(HOSTILE).first).to_be_visible()
    own.get_by_text("1 file repeats another").click()
    sync_api.expect(page.get_by_role("region", name="other")).to_contain_text(f"Indexing failed: <b>{LONG}")
    assert page.evaluate(WIDER) == [0, 0]
    page.unroute_all()


def test_a_library_that_another_process_is_indexing(page, world):
    page.route("**/Music/indexing", lambda route: refused(route))
    page.reload()
    page.get_by_role("button", name="Libraries").click()
    page.get_by_role("button", name="Re-scan").click()
    sync_api.expect(page.get_by_role("alert")).to_have_text("Music is being indexed: wait")
    page.unroute_all()
    page.wrong[:] = [text for text in page.wrong if "409" not in text]


def answering(answer):
    return lambda route: route.fulfill(json=answer)


def refused(route) -> None:
    if route.request.method == "POST":
        assert json.loads(route.request.post_data) == {"all": False}
        return route.fulfill(status=409, json={"error": "Music is being indexed: wait"})
    return route.continue_()
