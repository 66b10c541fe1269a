"""Accessibility: axe-core finds no problem on the page, wide and narrow, light and dark, in each of its states."""

from itertools import pairwise

import pytest

from tests.apps.web.browser import BROWSER, forgive, heading, search, sync_api
from tests.apps.web.made_up import FILTERS, offer, reply, track

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (requirements-dev.txt)")
pytestmark = BROWSER

COUNTS = {0: "0 tracks", 1: "1 track", 200: "200 tracks"}


def problems(page) -> list[str]:
    """Return the problems that axe-core finds on the page in its current state: rule, severity and place."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{it['id']} ({it['impact']}): {node['html']}" for it in found for node in it["nodes"]]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_state_is_accessible(page, width, scheme):
    offer(page, **FILTERS)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.reload()
    assert problems(page) == []
    page.fill("#k", "3")
    page.get_by_role("button", name="Film 5").click()
    sync_api.expect(page.locator(".why li")).to_have_count(9)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_text("Weights", exact=True).click()
    page.get_by_text("strings").click()
    page.locator(".track .play").first.click()
    page.locator(".track .star").first.click()
    page.get_by_label("More for").last.click()
    assert problems(page) == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.locator("#shortlist-open").click()
    assert problems(page) == []
    page.locator("#shortlist-close").click()
    page.get_by_role("button", name="More like").first.click()
    sync_api.expect(page.locator("#sound-chips li")).to_have_count(1)
    page.get_by_role("button", name="Compare with").click()
    page.get_by_label("A list of scenes").check()
    page.get_by_text("strings").click()
    search(page, "home")
    sync_api.expect(page.get_by_role("alert")).to_be_visible()
    forgive(page, "422")
    assert problems(page) == []
    page.emulate_media(color_scheme=None)


@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_tracks(page, count):
    reply(page, *(track(rank, title=f"Piece {rank}") for rank in range(1, count + 1)))
    search(page)
    heading(page, f"{COUNTS[count]} for your film")
    assert page.locator(".track").count() == count
    assert page.locator("#exports").is_visible() == (count > 0)
    assert count > 1 or problems(page) == []
