"""A shortlist on the server: the current rows of its tracks, and the list with its notes as a file."""

import csv
import io
import json

import pytest
import requests

from pipeline.apps.web.schema import MAX_KEPT, MOST_NOTE_CHARS
from tests.apps.web.small_site import OWN_INDEX

PATH = "album/long.mp3"
SEGMENT = {"library": "own music", "path": PATH, "file_start_seconds": 4.0}
GONE = {"library": "own music", "path": PATH, "file_start_seconds": 5.0, "title": "Once", "artist": "@home"}


def post(client, path, **data):
    return requests.post(client.origin + path, json=data, timeout=30)


def test_tracks_are_found_by_file_and_place(client):
    film = client.answer(tags="war", k=3)["tracks"][2]
    asked = [
        SEGMENT,
        GONE,
        {"library": "films", "path": film["path"], "file_start_seconds": film["file_start_seconds"]},
        {"library": "films", "path": PATH, "file_start_seconds": 4.0},
        {"library": "sold", "path": PATH},
        SEGMENT,
    ]
    found = post(client, "/api/tracks", tracks=asked).json()["tracks"]
    assert [track and track["row"] for track in found] == [2, None, film["row"], None, None, 2]
    assert found[0]["audio"] == "/api/libraries/own%20music/tracks/2/audio"
    ranked = ("rank", "score", "place", "without")
    assert found[2] == {name: value for name, value in film.items() if name in found[2] and name not in ranked}


def test_list_with_notes_for_a_spreadsheet(client):
    tracks = [
        SEGMENT | {"note": "=cmd|' /C calc'!A0\nsecond line", "found_for": "Häxan: witches"},
        GONE | {"note": "was good"},
    ]
    response = post(client, "/api/export", format="csv", tracks=tracks)
    assert response.headers["content-disposition"] == 'attachment; filename="shortlist.csv"'
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [row["note"] for row in rows] == ["'=cmd|' /C calc'!A0 second line", "was good"]
    assert [row["found_for"] for row in rows] == ["Häxan: witches", ""]
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert {row["library"] for row in rows} == {"own music"}
    assert {row["path"] for row in rows} == {PATH}
    assert [(row["title"], row["artist"]) for row in rows][1] == ("Once", "'@home")
    assert [row["seconds"] for row in rows] == ["2.0", ""]


def test_playlist_with_notes(client):
    note = "EXTVLCOPT:sout=file/x\n/etc/passwd"
    lines = post(client, "/api/export", format="m3u8", tracks=[GONE, SEGMENT | {"note": note}]).text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        str((client.root.parent / "music" / PATH).resolve())
    ]
    assert [line for line in lines if "sout" in line] == ["#NOTE: EXTVLCOPT:sout=file/x /etc/passwd"]
    assert "#EXTVLCOPT:start-time=4" in lines


def test_list_for_programs(client):
    found = json.loads(post(client, "/api/export", format="json", tracks=[SEGMENT | {"note": "x"}, GONE]).content)
    assert [(track["note"], track["file_start_seconds"]) for track in found["tracks"]] == [("x", 4.0), ("", 5.0)]


@pytest.mark.parametrize(
    "data",
    [
        {"format": "csv", "tracks": []},
        {"format": "exe", "tracks": [SEGMENT]},
        {"format": "csv", "tracks": [SEGMENT] * (MAX_KEPT + 1)},
        {"format": "csv", "tracks": [SEGMENT | {"note": "x" * (MOST_NOTE_CHARS + 1)}]},
        {"format": "csv", "tracks": [{"library": "films"}]},
        {"format": "csv", "tracks": [SEGMENT | {"file_start_seconds": "soon"}]},
        {"tracks": [SEGMENT]},
    ],
)
def test_invalid_lists(client, data):
    response = post(client, "/api/export", **data)
    assert (response.status_code, list(response.json())) == (422, ["error"])
    assert len(response.json()["error"]) < 500


def test_lists_that_are_not_json(client):
    for path in ("/api/export", "/api/tracks"):
        response = requests.post(client.origin + path, data='{"tracks": [', timeout=30)
        assert (response.status_code, list(response.json())) == (422, ["error"])


def test_a_missing_index_has_no_outlines(client):
    path = client.root.parent / OWN_INDEX
    kept = path.rename(path.with_suffix(".kept"))
    try:
        found = client.get("/api/libraries/own%20music/tracks/1/peaks").json()
    finally:
        kept.rename(path)
    assert found == {"peaks": None, "seconds": 6.0}
