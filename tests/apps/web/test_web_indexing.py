"""Own music indexed through the API: who may start it, what it produces, and what is searched afterwards."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from pipeline.apps.web.access import Access
from pipeline.apps.web.app import create_app
from tests.apps.library.world import fill
from tests.apps.web.indexing_site import MUSIC, World, indexing_site
from tests.apps.web.small_site import serving, until

KEYS = {"name", "searchable", "refusal", "folder", "reachable", "state", "label", "done", "total", "reason", "changes"}


@pytest.fixture(scope="module")
def world(site_root, params, tmp_path_factory) -> Iterator[World]:
    with indexing_site(tmp_path_factory.mktemp("indexing"), params, site_root / "models/Words") as world:
        yield world


def test_from_a_folder_to_a_library_that_is_searched(world):
    before = world.state()
    assert before.keys() >= KEYS
    assert (before["state"], before["searchable"], before["folder"]) == ("idle", False, str(world.music))
    assert world.get("libraries/Music/tracks/0/audio").status_code == 404
    began = world.begin()
    assert (began.status_code, began.json()["state"]) == (202, "waiting")
    again = world.begin()
    assert (again.status_code, again.json()) == (409, {"error": "Music is being indexed: wait until it has finished"})
    assert [library["name"] for library in world.get("libraries").json()] == ["films"]
    assert world.until_done()["state"] == "done"
    assert [library["name"] for library in world.get("libraries").json()] == ["Music", "films"]
    answer = requests.post(f"{world.origin}/api/recommend", data={"tags": "war dog"}, timeout=60).json()
    assert answer["library"] == "Music"
    assert {track["path"] for track in answer["tracks"]} == {*MUSIC, "again.mp3"}


def test_library_contents(world):
    world.until_done()
    found = world.get("libraries/Music/files").json()
    assert (found["files"], found["tracks"], found["skipped"], found["films"]) == (5, 4, 1, 1)
    assert found["hours"] == pytest.approx(23 / 3600, abs=0.005)
    assert found["bytes"] == sum(path.stat().st_size for path in world.music.rglob("*.mp3")) - len("no music")
    assert found["formats"] == [{"format": "mp3", "files": 4}]
    assert found["statuses"] == [{"status": "corrupt", "files": 1}]
    (skipped,) = found["skipped_files"]
    assert (skipped["path"], skipped["status"]) == ("=broken.mp3", "corrupt")
    assert found["repeats"] == 1
    assert found["duplicates"] == [{"same": "content", "files": ["again.mp3", "fire.mp3"]}]


def test_lists_as_tables(world):
    world.until_done()

    def table(which: str) -> list[dict]:
        text = world.get(f"libraries/Music/files/export?which={which}").content.decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text)))

    assert [row["path"] for row in table("all")] == ["'=broken.mp3", *sorted([*MUSIC, "again.mp3"])]
    assert [(row["path"], row["status"]) for row in table("skipped")] == [("'=broken.mp3", "corrupt")]
    assert [(row["group"], row["path"]) for row in table("duplicates")] == [("1", "again.mp3"), ("1", "fire.mp3")]
    assert world.get("libraries/Music/files/export?which=etc").status_code == 422


def test_rows_after_a_change_are_the_new_ones(world):
    world.until_done()
    old = world.get("libraries/Music/tracks/0/audio").content
    assert old == (world.music / "Dawn/calm.mp3").read_bytes()
    fill(world.music, {"Air.mp3": (5, 5.0)})
    world.background._changes.clear()
    until(lambda: world.state()["changes"] == {"new": 1, "changed": 0, "removed": 0})
    assert world.begin(all=True).status_code == 202
    assert world.until_done()["state"] == "done"
    until(lambda: world.state()["changes"] == {"new": 0, "changed": 0, "removed": 0})
    assert world.get("libraries/Music/tracks/0/audio").content == (world.music / "Air.mp3").read_bytes()
    paths = [world.get(f"export?format=json&row={row}").json()["tracks"][0]["path"] for row in (0, 1)]
    assert paths == ["Air.mp3", "Dawn/calm.mp3"]


@pytest.mark.parametrize("name", ["nowhere", "%2E%2E", "%2Fetc", "etc"])
def test_names_that_were_not_named(world, name):
    assert world.begin(name).status_code in (404, 405)
    for path in ("indexing", "files", "files/export?which=all"):
        assert world.get(f"libraries/{name}/{path}").status_code == 404
    assert world.background.sources.keys() == {"Music"}


def test_a_request_has_no_path(world):
    world.until_done()
    refused = world.begin(folder="/etc", all="perhaps")
    assert refused.status_code == 422
    assert world.begin(folder="/etc").status_code == 202
    world.until_done()
    assert world.state()["folder"] == str(world.music)


def test_the_data_set_is_not_indexed_from_here(client):
    url = f"{client.origin}/api/libraries/films"
    assert requests.post(f"{url}/indexing", json={}, timeout=30).status_code == 422
    found = client.get("/api/libraries/films/indexing").json()
    assert (found["searchable"], found["changes"]) == (True, None)
    assert found["refusal"]
    found = client.get("/api/libraries/films/files").json()
    assert (found["tracks"], found["segments"], found["films"]) == (16, 16, 8)
    assert found["formats"] == [{"format": "mp3", "files": 16}]
    assert client.get("/api/libraries/films/files/export?which=all").status_code == 422


def test_pages_of_others_begin_nothing(world):
    assert world.begin(headers={"Origin": "http://evil.example"}).status_code == 403
    assert world.begin(headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_from_elsewhere_there_is_no_rescan_and_no_folder_is_shown(world, params, tmp_path):
    app = create_app(
        world.background._recommender, params.recommend, tmp_path, Access(any_address=True), background=world.background
    )
    world.until_done()
    with serving(app) as origin:
        there = replace(world, origin=origin)
        assert there.begin(all=True).status_code == 403
        assert there.state()["folder"] == ""
        assert there.begin().status_code == 202
        assert there.until_done()["state"] == "done"
