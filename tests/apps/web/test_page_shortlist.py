"""The shortlist on the page: what it keeps, sorting and notes, saving to files and loading them."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.apps.web.browser import BROWSER, forgive, heading, search, sync_api
from tests.apps.web.made_up import reply, track
from tests.apps.web.small_site import HOSTILE

pytestmark = BROWSER

LONG = "Wv" * 150  # 300 characters, unbroken
LARGE = """() => {
    const data = new DataTransfer();
    data.items.add(new File([" ".repeat(5_000_001)], "x.json"));
    document.querySelector("#shortlist-load").files = data.files;
    document.querySelector("#shortlist-load").dispatchEvent(new Event("change"));
}"""
STORED = "soundtracks.shortlist.1"


@pytest.fixture
def kept(page):
    """The page after a search, with an empty shortlist before and after."""
    page.evaluate("localStorage.clear()")
    page.reload()
    page.select_option("#per-film", "")
    yield page
    page.evaluate("localStorage.clear()")


def star(page, *places: int) -> None:
    """Add the results at some ranks of a search to the shortlist."""
    search(page)
    heading(page, "10 tracks for your film")
    for place in places:
        page.locator(".track button.star").nth(place).click()
    page.locator("#shortlist-open").click()
    sync_api.expect(page.locator(".kept")).to_have_count(len(places))


def names(page) -> list[str]:
    """Return the names of the tracks on the shortlist, in order."""
    return page.locator(".kept h3").all_inner_texts()


def saved(page, button: str) -> bytes:
    """Return the file that a button downloads."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def load(page, content: bytes, name: str = "list.json") -> None:
    """Load a file into the shortlist."""
    page.locator("#shortlist-load").set_input_files({"name": name, "mimeType": "application/json", "buffer": content})


def test_it_is_kept_sorted_and_annotated(kept):
    page = kept
    star(page, 0, 1, 2)
    first, second, third = names(page)
    page.get_by_label("Note for").nth(1).fill("for the chase\n<b>bold</b>")
    page.get_by_role("button", name=f"Move up {second}").click()
    assert names(page) == [second, first, third]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Move down {second}"
    page.keyboard.press("Enter")
    assert names(page) == [first, second, third]
    page.get_by_role("button", name=f"Remove {third}").click()
    assert names(page) == [first, second]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Remove {second}"
    page.reload()
    sync_api.expect(page.locator("#shortlist-count")).to_have_text("2")
    page.locator("#shortlist-open").click()
    assert names(page) == [first, second]
    assert page.get_by_label("Note for").nth(1).input_value() == "for the chase\n<b>bold</b>"
    assert "Found for: war dog" in page.locator(".kept").first.inner_text()
    page.locator(".kept button.play").nth(1).click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0)")
    assert page.inner_text("#dock-name") == second
    assert page.locator("#dock-next").get_attribute("aria-disabled") == "true"  # the last of this list
    page.get_by_role("button", name="Remove all").click()
    sync_api.expect(page.locator("#shortlist-empty")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    assert names(page) == [first, second]
    page.keyboard.press("Escape")
    sync_api.expect(page.locator("#shortlist")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "shortlist-open"


def test_files_with_notes(kept):
    page = kept
    star(page, 0, 3)
    page.get_by_label("Note for").first.fill("=1+1")
    rows = list(csv.DictReader(io.StringIO(saved(page, "CSV").decode("utf-8-sig"))))
    assert [row["note"] for row in rows] == ["'=1+1", ""]
    assert [row["found_for"] for row in rows] == ["war dog", "war dog"]
    playlist = saved(page, "Playlist (file paths)").decode().splitlines()
    assert [line for line in playlist if line.startswith("#NOTE")] == ["#NOTE: =1+1"]
    assert [Path(line).is_file() for line in playlist if not line.startswith("#")] == [True, True]
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert (
        page.locator("#ask, #dock, #shortlist, h1").evaluate_all("all => all.filter((node) => node.checkVisibility())")
        == []
    )
    cells = page.locator(".sheet tbody tr").first.locator("td").all_inner_texts()
    assert cells[3].startswith("0:00 to 0:")
    assert cells[4:] == ["=1+1", "war dog"]
    page.emulate_media(media="screen")


def test_list_goes_into_a_file_and_back(kept):
    page = kept
    star(page, 0, 1)
    first, second = names(page)
    page.get_by_label("Note for").first.fill("mine")
    file = saved(page, "Save to a file")
    page.get_by_role("button", name="Remove all").click()
    load(page, file)
    sync_api.expect(page.locator("#shortlist-said")).to_have_text("list.json: 2 tracks are new.")
    assert names(page) == [first, second]
    assert page.get_by_label("Note for").first.input_value() == "mine"
    other = json.loads(file)
    other["tracks"].reverse()
    other["tracks"][0]["note"], other["tracks"][1]["note"] = "new", "theirs"
    other["tracks"].append(
        other["tracks"][0]
        | {"track": other["tracks"][0]["track"] | {"path": "gone.mp3", "title": HOSTILE, "film": HOSTILE}}
    )
    load(page, json.dumps(other).encode())
    sync_api.expect(page.locator(".kept")).to_have_count(3)
    assert names(page)[:2] == [first, second], "what was there keeps its place"
    notes = [note.input_value() for note in page.get_by_label("Note for").all()]
    assert notes == ["mine\ntheirs", "new", "new"]
    assert "1 track is new, 1 note was merged" in page.inner_text("#shortlist-said")
    assert HOSTILE in names(page)[2]
    sync_api.expect(page.locator(".gone")).to_have_count(1)
    assert page.locator(".kept button.play").evaluate_all("all => all.map((one) => one.disabled)") == [
        False,
        False,
        True,
    ]
    assert len(list(csv.DictReader(io.StringIO(saved(page, "CSV").decode("utf-8-sig"))))) == 3, "it is not lost"
    load(page, json.dumps(other).encode())
    sync_api.expect(page.locator("#shortlist-said")).to_have_text("list.json: 0 tracks are new.")
    assert [note.input_value() for note in page.get_by_label("Note for").all()] == notes


def broken(**changes: object) -> bytes:
    """Return a file with one track, changed."""
    known = {"path": "a.mp3", "title": "A", "seconds": 2.0}
    item = {"library": "films", "track": known, "found": {"film": "", "query": ""}, "note": ""}
    data = {"kind": "soundtracks shortlist", "version": 1, "tracks": [item]}
    return json.dumps(data | changes | {"tracks": changes.get("tracks", [item])}).encode()


def test_invalid_files_change_nothing(kept):
    page = kept
    page.locator("#shortlist-open").click()
    known = {"path": "a.mp3", "title": "A"}
    for content, why in [
        (b"\x00\xff", "it is not a complete JSON file"),
        (b"[]", "it is not a saved shortlist"),
        (broken(version=2), "it has version 2"),
        (broken(tracks="many"), "its list of tracks is missing"),
        (broken(tracks=[{"library": "x", "track": known}] * 1001), "it has 1001 tracks; the limit is 1000"),
        (broken(tracks=[{"library": "x", "track": {"title": "A"}}]), "track 1: its path is missing"),
        (broken(tracks=[{"library": "x", "track": known | {"seconds": "long"}}]), 'track 1, seconds: found "long"'),
        (broken(tracks=[{"library": 1, "track": known}]), "track 1, library: found 1, expected a string"),
        (broken(tracks=[{"library": "x", "track": known, "note": "x" * 20_001}]), "20001 characters"),
        (broken(tracks=[None]), "track 1: its track is missing"),
    ]:
        load(page, content)
        said = page.locator("#shortlist-said")
        sync_api.expect(said).to_contain_text(f"list.json was not loaded: {why}" if why[0] in "ti" else why)
    page.evaluate(LARGE)
    sync_api.expect(page.locator("#shortlist-said")).to_have_text("x.json was not loaded: it is larger than 5 MB.")
    assert page.evaluate("document.querySelectorAll('.kept').length") == 0
    load(page, broken())
    sync_api.expect(page.locator(".gone")).to_have_text("No longer in the library films.")


def test_what_is_stored_may_be_damaged(kept):
    page = kept
    page.evaluate(f"localStorage.setItem('{STORED}', '{{')")
    page.reload()
    sync_api.expect(page.locator("#shortlist-count")).to_have_text("0")
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    search(page)
    page.locator(".track button.star").first.click()
    sync_api.expect(page.locator("#announced")).to_contain_text("This browser cannot store it: save it to a file.")
    sync_api.expect(page.locator("#shortlist-count")).to_have_text("1")


def test_server_that_does_not_answer_loses_nothing(kept):
    page = kept
    star(page, 0)
    page.route("**/api/export", lambda route: route.abort())
    page.get_by_role("button", name="CSV").click()
    sync_api.expect(page.locator("#shortlist-said")).to_have_text("The server is not responding. Is it still running?")
    forgive(page, "net::ERR_FAILED")


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_fit(kept, width):
    page = kept
    page.set_viewport_size({"width": width, "height": 800})
    reply(page, track(1, film=LONG, title=LONG, artist=LONG), track(2, film="שלום 2 עולם", path="x.mp3"))
    search(page, LONG)
    heading(page, "2 tracks for your film")
    for place in range(2):
        page.locator(".track button.star").nth(place).click()
    page.locator("#shortlist-open").click()
    sync_api.expect(page.locator(".gone")).to_have_count(2)  # made up as they are
    sync_api.expect(page.locator(".kept button.play:disabled")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    panel = page.locator("#shortlist")
    assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")
    small = "nodes => nodes.filter((node) => node.getBoundingClientRect().height < 44).map((node) => node.outerHTML)"
    assert panel.locator("button:visible, textarea, .pick-file").evaluate_all(small) == []
    assert panel.locator("h3 bdi").nth(1).evaluate("node => getComputedStyle(node).direction") == "rtl"
