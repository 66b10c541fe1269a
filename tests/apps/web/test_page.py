"""The page in a browser: used by mouse and by keyboard, without requests to other hosts."""

import re
from itertools import pairwise

import pytest

from tests.apps.web.browser import BROWSER, forgive, heading, leave_out, search, sync_api
from tests.apps.web.small_site import HOSTILE, jpeg

NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, summary, a")]
    .filter((node) => node.checkVisibility())
    .filter((node) => !["aria-label", "aria-labelledby"].some((name) => node.getAttribute(name)))
    .filter((node) => !node.labels?.length && !node.textContent.trim())
    .map((node) => node.outerHTML)"""
pytestmark = BROWSER


def test_example_film_fills_the_form_and_shows_its_music(page, client):
    page.get_by_role("button", name="Film 5").click()
    heading(page, "10 tracks for Film 5")
    assert page.evaluate("document.activeElement.id") == "results-heading"
    film = next(film for film in client.get("/api/examples").json() if film["title"] == "Film 5")
    assert page.input_value("#tags") == film["tags"]
    assert page.input_value("#plot") == film["plot"]
    assert page.locator("#preview").get_attribute("src") == film["image"]
    assert "Model Whole reads the tags, the synopsis and the image" in page.inner_text("#said")
    expected = client.answer(example="AAF", tags=film["tags"], plot=film["plot"], why="true")["tracks"]
    cards = page.locator(".track")
    assert cards.count() == 10
    sync_api.expect(page.locator(".why li")).to_have_count(30)  # the reasons come after the tracks
    for place, track in enumerate(expected):
        text = cards.nth(place).inner_text()
        assert track["film"] in text
        for part, name in (("tags", "tags"), ("plot", "synopsis"), ("image", "image")):
            found = track["without"][part]["place"]
            assert re.search(f"Without the {name} it would (still )?be {found}(st|nd|rd|th)", text)
    own = [track["rank"] for track in expected if track["fid"] == "AAF"]
    assert page.locator(".track", has_text="its own music").count() == len(own)


def test_titles_are_text_and_their_addresses_no_links(page):
    page.fill("#tags", "war dog")
    page.fill("#k", "16")
    page.press("#tags", "Enter")
    heading(page, "16 tracks for your film")
    assert page.locator("h3 bdi", has_text=HOSTILE).first.text_content() == HOSTILE
    assert page.locator(".tracks script, .tracks b:not(.score b)").count() == 0
    assert page.locator(".tracks a").count() == 0
    page.get_by_role("button", name="<script>").first.click()  # the example
    assert HOSTILE in page.locator("#results-heading", has_text="tracks for <").inner_text()


def test_similar_tracks_and_back(page, client):
    page.get_by_role("button", name="Film 4").click()
    heading(page, "10 tracks for Film 4")
    sync_api.expect(page.locator(".why li")).to_have_count(30)
    before = page.locator("#tracks").inner_text()
    page.get_by_role("button", name="More like").first.click()
    sync_api.expect(page.locator("#results-heading")).to_contain_text("10 tracks for Film 4, like")
    page.get_by_role("button", name="Back to 10 tracks for Film 4").click()
    heading(page, "10 tracks for Film 4")
    assert page.locator("#tracks").inner_text() == before, "reasons that came are still there"
    page.go_back()
    heading(page, "Nothing searched yet")
    page.go_forward()
    heading(page, "10 tracks for Film 4")


def test_films_are_left_out_and_brought_back(page):
    page.get_by_role("button", name="Film 7").click()
    heading(page, "10 tracks for Film 7")
    title = page.locator(".track h3 bdi").first.inner_text()
    leave_out(page)
    page.wait_for_function(
        "title => ![...document.querySelectorAll('h3')].some((h3) => h3.innerText.startsWith(title))", arg=title
    )
    page.get_by_role("button", name=f"Bring back {title}").click()
    page.wait_for_function(
        "title => [...document.querySelectorAll('h3')].some((h3) => h3.innerText.startsWith(title))", arg=title
    )
    assert page.locator("#left-out").is_hidden()


@pytest.mark.parametrize(
    ("link", "begins"), [("CSV", b"\xef\xbb\xbfrank,score"), ("Playlist", b"#EXTM3U"), ("JSON", b"{")]
)
def test_list_is_saved(page, link, begins):
    search(page)
    heading(page, "10 tracks for your film")
    with page.expect_download() as saved:
        page.get_by_role("link", name=link).click()
    with open(saved.value.path(), "rb") as file:
        assert file.read().startswith(begins)
    assert saved.value.suggested_filename.startswith("soundtracks.")


def test_own_image_tags_and_plot_by_keyboard(page):
    page.locator("#image").set_input_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    sync_api.expect(page.locator("#image-name")).to_have_text("mine.jpg")
    page.wait_for_function("() => document.querySelector('#preview').naturalWidth === 40")
    page.fill("#tags", "war")
    page.fill("#plot", "a dog runs .")
    page.press("#plot", "Control+Enter")
    heading(page, "10 tracks for your film")
    assert "Model Whole" in page.inner_text("#said")
    page.get_by_role("button", name="Remove the image").click()
    page.press("#tags", "Enter")
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('Model Pair')")
    page.select_option("#variant", "Words")
    page.press("#tags", "Enter")
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('Not used: the synopsis.')")


def test_errors_appear_in_place_and_go_away(page):
    page.locator("#image").set_input_files({"name": "x.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    page.get_by_role("button", name="Find music").click()
    alert = page.get_by_role("alert")
    sync_api.expect(alert).to_contain_text("Image: cannot be decoded; send a complete JPEG, PNG, GIF or WebP file")
    assert page.locator("#image").get_attribute("aria-invalid") == "true"
    forgive(page, "422")
    assert page.evaluate("document.querySelector('#results').getAttribute('aria-busy')") == "false"
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Remove the image").click()
    page.fill("#tags", "war")
    page.press("#tags", "Enter")
    heading(page, "10 tracks for your film")
    sync_api.expect(alert).to_be_hidden()


def test_place_before_exclusion_is_shown(page):
    search(page)
    heading(page, "10 tracks for your film")
    assert page.locator(".place, #places:visible").count() == 0
    leave_out(page)
    sync_api.expect(page.locator(".place").last).to_contain_text("of all tracks")
    sync_api.expect(page.locator("#places")).to_be_visible()


def test_file_that_is_too_large_is_not_sent(page, params):
    most = params.recommend.max_image_bytes
    page.evaluate("most => { document.querySelector('#ask').dataset.maxBytes = most }", 1000)
    page.locator("#image").set_input_files({"name": "big.jpg", "mimeType": "image/jpeg", "buffer": b"x" * 100_000})
    sync_api.expect(page.get_by_role("alert")).to_have_text("Image: big.jpg is 0.1 MB; the limit is 0.0 MB")
    assert page.evaluate("document.querySelector('#image').files.length") == 0
    page.reload()
    assert page.locator("#ask").get_attribute("data-max-bytes") == str(most)


def test_image_is_dropped(page):
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["x"], "dropped.jpg", { type: "image/jpeg" }));
            document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }"""
    )
    sync_api.expect(page.locator("#image-name")).to_have_text("dropped.jpg")
    assert page.evaluate("document.querySelector('#image').files[0].name") == "dropped.jpg"


def test_form_is_not_sent_before_the_script_runs(page, client):
    page.route("**/static/page.js", lambda route: route.abort())
    page.goto(client.origin)
    sync_api.expect(page.get_by_role("button", name="Find music")).to_be_disabled()
    page.fill("#tags", "war")
    page.press("#tags", "Enter")
    assert page.evaluate("location.search") == ""
    forgive(page, "net::ERR_FAILED")


def test_nothing_is_cut_off_on_a_phone(page, client):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(client.origin)
    page.get_by_role("button", name="Film 5").click()
    heading(page, "8 tracks for Film 5")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_everything_has_a_name(page):
    page.get_by_role("button", name="Film 5").click()
    heading(page, "10 tracks for Film 5")
    unnamed = page.evaluate(NAMELESS)
    assert unnamed == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
