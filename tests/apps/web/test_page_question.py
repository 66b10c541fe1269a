"""Queries on the page: filters, weights, sounds, scenes and comparisons, and the link that restores them."""

import csv

import pytest

from tests.apps.web.browser import BROWSER, heading, search, sync_api
from tests.apps.web.made_up import FILTERS, SURE, offer, reply, track
from tests.apps.web.small_site import jpeg

pytestmark = BROWSER

SCENES = "INT. KITCHEN\nA dog barks.\n\nTwo men fight.\n\n\nEXT. FIELD\nA dance .\nin the sun ."


def names(page) -> list[str]:
    """Return the names of the tracks on the page."""
    return page.locator(".track h3 bdi").all_inner_texts()


def test_link_brings_back_query_and_results(page, browser, client):
    page.locator("#image").set_input_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    page.fill("#plot", "a dog & a war = home #1 .")
    page.fill("#k", "5")
    search(page, "war dog")
    heading(page, "5 tracks for your film")
    found, address = names(page), page.url
    page.goto("about:blank")
    page.goto(address)
    heading(page, "5 tracks for your film")
    assert names(page) == found
    assert (page.input_value("#tags"), page.input_value("#k")) == ("war dog", "5")
    assert page.input_value("#plot") == "a dog & a war = home #1 ."
    assert page.inner_text("#image-name") == "mine.jpg"
    with browser.new_context() as elsewhere:  # where the picture is unknown
        other = elsewhere.new_page()
        other.goto(address)
        sync_api.expect(other.locator("#said")).to_contain_text("mine.jpg")
        assert other.input_value("#tags") == "war dog"
        assert names(other) == found, "the link has what was found"


def test_link_brings_back_all_of_the_form(page, client):
    offer(page, **FILTERS)
    first, second = client.answer(tags="war", k=2, per_film=1)["tracks"]
    sent = reply(page, first, second)
    like = f"like {first['film']}, track {first['number'] + 1}"
    page.reload()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Tempo from").fill("60")
    page.get_by_label("Tempo to").fill("90")
    page.get_by_label("Length to").fill("3:00")
    page.select_option("#key", "A minor")
    page.select_option("#vocals", "instrumental")
    page.get_by_text("strings").click()
    page.get_by_text("Weights", exact=True).click()
    page.get_by_label("Synopsis", exact=True).last.fill("0.5")
    search(page, "sadder")
    heading(page, "2 tracks for your film")
    page.get_by_role("button", name="More like").first.click()
    heading(page, f"2 tracks for your film, {like}")
    page.get_by_label("More for").last.click()
    page.get_by_role("button", name="Less like").last.click()
    sync_api.expect(page.locator("#sound-chips li")).to_have_count(2)
    page.wait_for_function("() => location.hash.includes('less=')")
    expected = {
        "tags": ["sadder"],
        "tempo": ["60..90"],
        "length": ["..3:00"],
        "key": ["A minor"],
        "vocals": ["instrumental"],
        "music": ["strings"],
        "weight_plot": ["0.5"],
        "like": [str(first["row"])],
        "less": [str(second["row"])],
    }
    assert {name: values for name, values in sent[-1].items() if name in expected} == expected
    assert "weight_tags" not in sent[-1]
    count = len(sent)
    page.reload()
    heading(page, f"2 tracks for your film, {like}")
    assert {name: values for name, values in sent[count].items() if name in expected} == expected
    assert page.locator("#filters[open] #filters-count").inner_text() == "(5)"
    page.get_by_label("Compare by sound only").check()
    page.get_by_role("button", name="Find music").click()
    heading(page, f"2 tracks {like}")
    assert not {"tags", "plot", "weight_plot"} & set(sent[-1])
    page.get_by_role("button", name="Clear", exact=True).click()
    sync_api.expect(page.locator("#sound-chips li")).to_have_count(0)
    assert page.input_value("#tags") == ""


def test_hostile_link_does_no_harm(page, client):
    sent = reply(page, track(1))
    hostile = 'tags=<img src=x onerror=alert(1)>&poster=../../etc x&image=AA x&like=-1 x&like=["x",{}]&weight_tags=99'
    page.goto("about:blank")
    page.goto(f'{client.origin}/#{hostile}&k=9999&film=<b> y&per_film=no&library=nowhere&vocals="&tempo=x..y..z')
    heading(page, "1 track for your film")
    assert sent[0]["tags"] == ["<img src=x onerror=alert(1)>"]
    assert not {"like", "example", "image", "weight_tags"} & set(sent[0])
    assert (sent[0]["k"], sent[0]["library"]) == (["10"], ["films"])


def test_library_offers_the_filters_that_it_has(page):
    offer(page, **FILTERS | {"year": None, "vocals": None})
    page.reload()
    page.get_by_text("Filters", exact=True).click()
    assert page.get_by_label("Length from").get_attribute("placeholder") == "1:01"
    assert page.get_by_label("Loudness to").get_attribute("placeholder") == "-9"
    assert page.locator("[data-filter=year], [data-filter=vocals]").locator("visible=true").count() == 0
    options = page.locator("#key option").all_inner_texts()
    assert options == ["any", "any major (3)", "any minor (12)", "A minor (12)", "F♯ major (3)"]
    offer(page)
    page.reload()
    sync_api.expect(page.locator("#filters")).to_be_hidden()


def test_each_scene_is_a_search_of_its_own(page, client):
    page.fill("#plot", SCENES)
    page.get_by_label("A list of scenes").check()
    page.fill("#k", "3")
    search(page, "war")
    heading(page, "3 scenes")
    titles = page.locator(".list > h3").all_inner_texts()
    assert titles == ["3 tracks for INT. KITCHEN", "3 tracks for Scene 2: Two men fight.", "3 tracks for EXT. FIELD"]
    scenes = ["A dog barks.", "Two men fight.", "A dance .\nin the sun ."]
    answers = [client.answer(tags="war", plot=scene, k=3, variant="Pair")["tracks"] for scene in scenes]
    assert [[of["film"] for of in tracks] for tracks in answers] == [
        found.locator(".track h3 bdi").all_inner_texts() for found in page.locator(".list").all()
    ]
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["film"] for row in rows] == [of["film"] for tracks in answers for of in tracks]
    assert [row["found_for"] for row in rows] == [title for title in titles for _ in range(3)]
    page.reload()
    heading(page, "3 scenes")


def test_scenes_are_searched_with_a_model_that_reads_them(page):
    sent = reply(page, track(1))
    page.fill("#plot", SCENES)
    page.get_by_label("A list of scenes").check()
    search(page, "war")
    heading(page, "3 scenes")
    assert [form["variant"] for form in sent[:3]] == [["Pair"]] * 3
    assert [form["plot"] for form in sent[:2]] == [["A dog barks."], ["Two men fight."]]


def test_two_searches_side_by_side(page):
    search(page, "war dog")
    heading(page, "10 tracks for your film")
    first = names(page)
    page.get_by_role("button", name="Compare with the next search").click()
    search(page, "home love")
    heading(page, "Side by side: 10 tracks for your film and 10 tracks for your film")
    assert page.locator(".columns .list").first.locator(".track h3 bdi").all_inner_texts() == first
    left, right = (found.bounding_box() for found in page.locator(".list").all())
    assert left["x"] + left["width"] <= right["x"]
    both = names(page)
    page.reload()
    heading(page, "Side by side: 10 tracks for your film and 10 tracks for your film")
    assert names(page) == both
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_reference_track_is_sent(page):
    sent = reply(page, track(1))
    page.locator("#sound").set_input_files({"name": "mine.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
    page.get_by_role("button", name="Find music").click()
    heading(page, "1 track like mine.wav")
    assert sent[0]["sound"] == ["RIFF"]
    search(page, "sadder")
    heading(page, "1 track for your film, like mine.wav")
    assert (sent[1]["sound"], sent[1]["tags"]) == (["RIFF"], ["sadder"])


def test_confidence_and_matching_passages(page):
    answers = [
        {"part": "plot", "text": "A man <b>dies</b>.", "drop": 0.1},
        {"part": "tags", "text": "war", "drop": 0.05},
    ]
    reply(page, track(1, answers=answers, without={"tags": {"place": 2, "score": 0.1}}), **SURE)
    search(page)
    heading(page, "1 track for your film")
    said = page.inner_text("#said")
    assert "43 test films" in said
    assert "7 in 10" in said
    assert "3 in 10" in said
    assert page.inner_text(".answers") == "Matches “A man <b>dies</b>.” and the tag “war”"


@pytest.mark.parametrize("width", [1280, 390])
def test_question_fits_the_window(page, width):
    long = "Wv" * 150
    offer(page, **FILTERS | {"music": [{"tag": long, "tracks": 1}], "keys": [{"key": "A minor", "tracks": 10**9}]})
    reply(page, track(1, film=long))
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_text("Weights", exact=True).click()
    search(page)
    heading(page, "1 track for your film")
    page.get_by_role("button", name="Compare with").click()
    page.get_by_role("button", name="More like").click()
    sync_api.expect(page.locator(".list")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
