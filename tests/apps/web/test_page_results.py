"""The results on the page for made-up answers: long names, reasons, times, and what a search leaves behind."""

import pytest

from tests.apps.web.browser import BROWSER, forgive, heading, leave_out, search, sync_api
from tests.apps.web.made_up import reply, track

pytestmark = BROWSER

LONG = "Wv" * 150  # 300 characters, unbroken
HEBREW = "שלום 2 עולם"
EMOJI = "🎻👩‍👩‍👧" * 40
OWN = "/api/libraries/own%20music/tracks/1/audio"
OVERLAPS = """() => [...document.querySelectorAll(".track")].filter((track) => {
    const why = track.querySelector(".why").getBoundingClientRect();
    const boxes = [...track.querySelectorAll(".body :is(h3, p, .when, button)")]
        .filter((node) => node.checkVisibility({ contentVisibilityAuto: true }))
        .flatMap((node) => [...node.getClientRects()]);
    return boxes.some((box) => box.right > why.left && box.left < why.right
        && box.bottom > why.top && box.top < why.bottom);
}).length"""


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_wrap(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    strange = {"artist": LONG, "title": LONG, "music_tags": LONG}
    own = {"fid": "", "number": 0, "path": f"album/{LONG}.mp3", "film": LONG, "audio": OWN}
    reply(
        page, track(1, film=LONG, **strange), track(2, **own, title=""), track(3, film=EMOJI, image="/static/icon.svg")
    )
    page.evaluate("text => { document.querySelector('.example .name').textContent = text }", LONG)
    page.locator("#image").set_input_files({"name": f"{LONG}.txt", "mimeType": "text/plain", "buffer": b"x"})
    search(page)
    heading(page, "3 tracks for your film")
    page.get_by_role("button", name="More like").first.click()
    heading(page, f"3 tracks for your film, like {LONG}, track 2")
    leave_out(page)
    sync_api.expect(page.locator("#chips li")).to_have_count(1)
    page.evaluate("text => { document.querySelector('#error').textContent = text }", LONG)
    page.evaluate("document.querySelector('#error').hidden = false")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERLAPS) == 0


def test_titles_keep_their_own_direction(page):
    reply(page, track(film=HEBREW))
    search(page)
    title = page.locator("h3 bdi")
    sync_api.expect(title).to_have_text(HEBREW)
    assert title.evaluate("node => getComputedStyle(node).direction") == "rtl"
    page.get_by_role("button", name="More like").click()
    heading(page, f"1 track for your film, like {HEBREW}, track 2")
    named = page.locator("#results-heading")
    assert named.evaluate("node => getComputedStyle(node).direction") == "ltr"
    assert named.locator("bdi").last.evaluate("node => getComputedStyle(node).direction") == "rtl"


def test_a_failed_search_marks_the_old_list(page):
    search(page)
    heading(page, "10 tracks for your film")
    saved = page.locator("#exports a[href]")
    assert saved.count() == 3
    page.locator(".track button.play").first.click()
    held = []
    page.route("**/api/recommend", lambda route: held.append(route))
    search(page, "home")
    sync_api.expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    assert page.evaluate("[...document.querySelectorAll('audio')].every((audio) => audio.paused)")
    assert saved.count() == 0
    held[0].abort()
    sync_api.expect(page.get_by_role("alert")).to_have_text("The server is not responding. Is it still running?")
    sync_api.expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    heading(page, "From the previous search: 10 tracks for your film")
    assert saved.count() == 0
    assert page.locator("#exports [aria-disabled=true]").count() == 3
    page.unroute("**/api/recommend")
    forgive(page, "net::ERR_FAILED")
    search(page, "home")
    heading(page, "10 tracks for your film")
    assert saved.count() == 3
    assert page.locator(".earlier").count() == 0


@pytest.mark.parametrize("counts", [[None, None], [16, None]])
def test_long_wait_is_explained(page, counts):
    held = []
    page.route("**/api/libraries", lambda route: route.fulfill(json=[{"name": "x", "tracks": n} for n in counts]))
    page.route("**/api/recommend", lambda route: held.append(route))
    with page.expect_response("**/api/libraries"):
        search(page)
    loading = page.get_by_text("while the networks are loaded")
    if any(counts):
        sync_api.expect(page.locator("#said")).to_have_text("Searching …")
        assert loading.count() == 0
    else:
        sync_api.expect(loading).to_be_visible()
    held[0].abort()
    sync_api.expect(page.get_by_role("alert")).to_be_visible()
    forgive(page, "net::ERR_FAILED")


def test_reasons_follow_from_the_places(page):
    cases = [
        (2, {"plot": 5, "image": 3}, "The synopsis counts most", ["be 5th", "be 3rd"]),
        (3, {"tags": 12, "plot": 2}, "The tags count most", ["be 12th", "be 2nd"]),
        (3, {"tags": 9, "image": 9}, "The tags and the image count equally", ["be 9th", "be 9th"]),
        (
            3,
            {"tags": 11, "plot": 11, "image": 3},
            "The tags and the synopsis count most, equally",
            ["be 11th", "be 11th", "still be 3rd"],
        ),
        (4, {"tags": 4, "plot": 1}, "No single part raises it to this rank", ["still be 4th", "be 1st"]),
    ]
    tracks = [
        track(rank, place=place, without={part: {"place": lost, "score": 0.1} for part, lost in without.items()})
        for rank, (place, without, _, _) in enumerate(cases, start=1)
    ]
    reply(page, *tracks)
    search(page)
    sync_api.expect(page.locator(".why")).to_have_count(len(cases))
    for why, (_, _, verdict, places) in zip(page.locator(".why").all(), cases, strict=True):
        assert why.locator(".most").inner_text() == verdict
        lines = why.locator("li").all_inner_texts()
        assert [line.partition("would ")[2].strip() for line in lines] == places
    above = [why.locator(".place").all_inner_texts() for why in page.locator(".why").all()]
    assert above[0] == ["2nd of all tracks; 1 above it is not shown"]
    assert above[2:] == [[], ["3rd of all tracks"], ["4th of all tracks"]]
    bars = page.locator(".why").nth(1).locator(".bar i")
    assert bars.evaluate_all("bars => bars.map((bar) => bar.style.width)") == ["100%", "0%"]


def test_people_count_tracks_from_one(page):
    reply(page, track(1, number=0), track(2, number=1))
    search(page)
    heading(page, "2 tracks for your film")
    plays = page.get_by_role("button", name="Play Nosferatu")
    assert [node.get_attribute("aria-label") for node in plays.all()] == [f"Play Nosferatu, track {n}" for n in (1, 2)]
    assert page.get_by_role("button", name="More like Nosferatu, track 1", exact=True).count() == 1


def test_each_film_is_there_once_unless_all_are_chosen(page):
    page.reload()
    page.get_by_role("button", name="Film 5").click()
    heading(page, "8 tracks for Film 5")
    titles = page.locator("h3 bdi").all_inner_texts()
    assert len(set(titles)) == 8
    page.select_option("#per-film", label="all")
    search(page)
    heading(page, "10 tracks for your film")
