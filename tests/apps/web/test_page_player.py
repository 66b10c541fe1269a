"""The player at the bottom of the page, by mouse, keyboard and touch; and what a card says about its music."""

import pytest

from tests.apps.web.browser import BROWSER, forgive, heading, search, sync_api
from tests.apps.web.made_up import reply, track
from tests.apps.web.small_site import OWN_PEAKS

pytestmark = BROWSER

LONG = "Wv" * 150  # 300 characters, unbroken
FILM = "/api/libraries/films/tracks/{}/audio"
OWN = "/api/libraries/own%20music/tracks/{}/audio"
SEGMENT = {
    "fid": "",
    "film": "Album",
    "artist": "Band",
    "title": "Long",
    "path": "album/long.mp3",
    "file_start_seconds": 2.0,
    "start_seconds": 2.0,
    "seconds": 2.0,
    "recording_seconds": 6.0,
}
PLAYING = "[...document.querySelectorAll('audio')].filter((audio) => !audio.paused)"
SMALL = """least => [...document.querySelectorAll("#dock button, .track button, .track summary, #wave")]
    .filter((node) => node.checkVisibility())
    .filter((node) => { const box = node.getBoundingClientRect(); return box.width < least || box.height < least; })
    .map((node) => node.outerHTML)"""


def films(*rows: int) -> list[dict]:
    """Return tracks of films with playable files of 2 s each."""
    return [
        track(rank, film=f"Number {rank}", path=f"{row}.mp3", audio=FILM.format(row), seconds=2.0)
        for rank, row in enumerate(rows, start=1)
    ]


def plays(page, name: str) -> None:
    """Wait until `name` is the only file playing."""
    sync_api.expect(page.locator("#dock-name")).to_have_text(name)
    page.wait_for_function(f"() => {PLAYING}.length === 1 && {PLAYING}[0].currentTime > 0")


def pressed(page, kind: str, *cards: int) -> None:
    """Wait until the buttons of a kind are pressed on these cards only; a file has paused before its event is sent."""
    for place in range(page.locator(".track").count()):
        button = page.locator(".track").nth(place).locator(f"button.{kind}")
        sync_api.expect(button).to_have_attribute("aria-pressed", "true" if place in cards else "false")


def test_by_keyboard(page):
    reply(page, *films(1, 2, 3))
    search(page)
    heading(page, "3 tracks for your film")
    page.keyboard.press("j")
    plays(page, "Number 1, track 2")
    pressed(page, "play", 0)
    page.keyboard.press("j")
    plays(page, "Number 2, track 2")
    pressed(page, "play", 1)
    page.keyboard.press("k")
    plays(page, "Number 1, track 2")
    page.keyboard.press(" ")
    page.wait_for_function(f"() => {PLAYING}.length === 0")
    pressed(page, "play")
    page.keyboard.press("s")
    pressed(page, "star", 0)
    sync_api.expect(page.locator("#announced")).to_have_text("Added to the shortlist: Number 1, track 2.")
    page.keyboard.press("s")
    pressed(page, "star")
    page.locator(".track button.star").nth(2).focus()
    page.keyboard.press("s")  # the track in the player, wherever the focus is
    pressed(page, "star", 0)
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.keyboard.press("ArrowRight")  # five seconds forward, to its end
    plays(page, "Number 2, track 2")
    page.fill("#tags", "")
    page.type("#tags", "j s?")
    page.press("#tags", "ArrowLeft")
    assert page.input_value("#tags") == "j s?"
    plays(page, "Number 2, track 2")
    page.locator("#dock-close").click()
    sync_api.expect(page.locator("#dock")).to_be_hidden()
    assert page.evaluate(f"{PLAYING}.length") == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Play Number 2, track 2"


def test_by_mouse(page):
    reply(page, *films(1, 2))
    page.route("**/peaks", lambda route: route.fulfill(json={"peaks": None, "seconds": 2.0}))
    search(page)
    heading(page, "2 tracks for your film")
    first, second = page.locator(".track button.play").all()
    first.click()
    plays(page, "Number 1, track 2")
    second.click()
    plays(page, "Number 2, track 2")
    assert page.locator("#dock-next").get_attribute("aria-disabled") == "true"
    second.click()
    page.wait_for_function(f"() => {PLAYING}.length === 0")
    page.locator("#dock-previous").click()
    plays(page, "Number 1, track 2")
    assert page.evaluate("navigator.mediaSession.metadata.title") == "Number 1, track 2"
    shape = page.locator("#wave .whole").get_attribute("d")
    assert shape.count("M") == 1, "a plain bar where there are no peaks"
    box = page.locator("#wave").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.99 * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()
    plays(page, "Number 2, track 2")  # since the first one has ended
    page.locator("#wave input").press("End")
    page.wait_for_function(f"() => {PLAYING}.length === 0")  # the last one


def test_segment_of_own_music(page):
    reply(page, track(1, **SEGMENT, audio=OWN.format(1), key="", tempo=None, loudness=None, vocals=None))
    search(page)
    heading(page, "1 track for your film")
    page.locator(".track button.play").click()
    plays(page, "Long")
    assert page.inner_text("#dock-credits") == "Band · Album · 1922"
    part = page.locator("#wave .part")
    length = float(page.locator("#wave input").get_attribute("max"))
    assert length == pytest.approx(6.0, abs=0.1)
    assert float(part.get_attribute("x")) == pytest.approx(100 * 2 / length)
    assert float(part.get_attribute("width")) == pytest.approx(100 * 2 / length)
    assert page.locator("#wave .whole").get_attribute("d").count("M") == len(OWN_PEAKS)
    slider = page.get_by_role("slider", name="Position in the file")
    assert 2.0 <= float(slider.input_value()) < 4.0
    sync_api.expect(slider).to_have_attribute("aria-valuetext", "2 seconds of 6 seconds, in the part that matches")
    page.wait_for_function(f"() => {PLAYING}.length === 0")
    assert float(slider.input_value()) == pytest.approx(4.0, abs=0.3), "it ends with the segment"
    slider.press("Home")
    sync_api.expect(slider).to_have_attribute("aria-valuetext", "0 seconds of 6 seconds")
    box = page.locator("#wave").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 10)
    assert float(slider.input_value()) == pytest.approx(4.5, abs=0.2)
    page.keyboard.press(" ")
    plays(page, "Long")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowLeft")
    assert float(slider.input_value()) < 1.0


def test_file_that_does_not_play(page):
    reply(page, track(1, **SEGMENT | {"title": "Gone"}, audio=OWN.format(5)), *films(1, 2)[1:])
    page.route("**/tracks/2/audio", lambda route: route.fulfill(body="no music", content_type="audio/mpeg"))
    search(page)
    heading(page, "2 tracks for your film")
    page.locator(".track button.play").first.click()
    problem = page.locator("#dock-problem")
    sync_api.expect(problem).to_contain_text("The file of this track is missing from the library's folder.")
    page.keyboard.press("j")
    sync_api.expect(problem).to_contain_text("This browser cannot play the file.")
    assert problem.get_by_role("link", name="Open it").get_attribute("href") == FILM.format(2)
    forgive(page, "404")


def test_new_search_stops_what_plays(page):
    reply(page, *films(1, 2))
    search(page)
    heading(page, "2 tracks for your film")
    page.locator(".track button.play").nth(1).click()
    plays(page, "Number 2, track 2")
    page.unroute_all()
    reply(page, *films(3, 4, 5))
    search(page)
    heading(page, "3 tracks for your film")
    assert page.evaluate(f"{PLAYING}.length") == 0
    sync_api.expect(page.locator("#dock")).to_be_visible()
    page.keyboard.press("j")  # of the new list, which does not contain it
    plays(page, "Number 1, track 2")


def test_keys_are_listed_and_can_be_turned_off(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    sync_api.expect(dialog).to_be_visible()
    assert dialog.locator("kbd").all_inner_texts() == ["J", "K", "Space", "←", "→", "S", "?"]
    page.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    sync_api.expect(dialog).to_be_hidden()
    page.reload()
    reply(page, *films(1))
    search(page)
    heading(page, "1 track for your film")
    page.keyboard.press("j")
    page.keyboard.press("?")
    sync_api.expect(page.locator("#dock, #keys[open]")).to_be_hidden()
    page.get_by_role("button", name="Keys").first.click()
    page.get_by_label("Use these keys").check()


def test_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    names = {"film": LONG, "title": LONG, "artist": LONG, "music_tags": LONG}
    reply(page, *[one | names for one in films(1, 2, 3, 4)])
    search(page)
    heading(page, "4 tracks for your film")
    page.locator(".track button.play").last.click()
    sync_api.expect(page.locator("#dock")).to_be_visible()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    last, dock = page.locator(".track").last.bounding_box(), page.locator("#dock").bounding_box()
    assert last["y"] + last["height"] <= dock["y"], "the player hides the last track"
    assert dock["height"] < 200
    assert page.evaluate(SMALL, 44) == []


def test_what_a_card_says_about_its_music(page):
    bare = {"tempo": None, "key": "", "loudness": None, "vocals": None, "music_tags": ""}
    known = {"tempo": 71.6, "key": "F# minor", "loudness": -18.24, "vocals": 0.9, "music_tags": "slow, strings"}
    reply(
        page,
        track(1, **SEGMENT | known),
        track(2, **bare | {"vocals": 0.2}),
        track(3, **bare, title="0", source_url="https://x.org/0.mp3", recording_seconds=None),
        track(4, **bare, start_seconds=0.0, seconds=13.04, recording_seconds=13.2),
        track(5, **SEGMENT | bare | {"recording_seconds": None, "film": "", "artist": "", "year": None, "title": ""}),
    )
    search(page)
    cards = page.locator(".track")
    sync_api.expect(cards).to_have_count(5)
    assert cards.nth(0).locator(".music").inner_text() == (
        "slow, strings · about 72 beats per minute · F# minor · −18.2\u00a0LUFS · vocal"
    )
    assert cards.nth(1).locator(".music").inner_text() == "instrumental"
    assert cards.nth(2).locator(".music").is_hidden()
    assert page.locator(".when").all_inner_texts() == [
        "0:02 to 0:04 of 0:06",
        "0:26 to 0:39 of 1:26",
        "0:13 long, from 0:26 of the recording",
        "0:13",
        "0:02 to 0:04",
    ]
    assert [card.locator(".facts").all_inner_texts() for card in cards.all()] == [
        ["Band · Album · 1922"],
        ["Suite"],
        [""],
        ["Suite"],
        [""],
    ]
    assert cards.nth(4).locator("h3").inner_text() == "long.mp3"


def test_few_stops_for_the_keyboard(page):
    reply(page, track(1, source_url="https://x.org/0.mp3"), track(2))
    search(page)
    heading(page, "2 tracks for your film")
    page.locator(".track button.play").first.focus()
    stops = 1
    while page.evaluate("document.querySelector('.track').contains(document.activeElement)"):
        page.keyboard.press("Tab")
        stops += 1
    assert stops - 1 == 4  # play, star, more like this, and the menu
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Less like Nosferatu, track 2"
    assert page.get_by_role("link", name="Source page").get_attribute("rel") == "noopener noreferrer"
    page.keyboard.press("Escape")
    sync_api.expect(page.locator(".menu[open]")).to_have_count(0)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "More for Nosferatu, track 2"
