"""Files: whole and in ranges, only those of a library; lists of tracks as files."""

import csv
import io
import json
from pathlib import Path

import pytest
import requests

from pipeline.apps.web.access import Access
from pipeline.apps.web.app import create_app
from pipeline.apps.web.examples import Examples
from pipeline.apps.web.export import file_entry
from pipeline.apps.web.failures import Refused
from tests.apps.web.small_site import HOSTILE, OWN_PEAKS, Client, serving

AUDIO = "/api/libraries/films/tracks/{}/audio"
FILM_TRACK = "/api/libraries/films/tracks/{}/peaks"
OWN_TRACK = "/api/libraries/own%20music/tracks/{}/peaks"
OWN = "/api/libraries/own%20music/tracks/{}/audio"


def test_the_tracks_own_file(client):
    track = client.answer(tags="war", k=3)["tracks"][2]
    response = client.get(track["audio"])
    assert response.content == (client.root / track["path"]).read_bytes()
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.headers["accept-ranges"] == "bytes"
    head = requests.head(client.origin + track["audio"], timeout=10)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(response.content)))
    assert client.get(OWN.format(1)).content == (client.root.parent / "music/album/long.mp3").read_bytes()


def test_parts_of_a_file(client):
    whole = client.get(AUDIO.format(0)).content
    size = len(whole)
    for asked, status, content in [
        ("bytes=0-9", 206, whole[:10]),
        ("bytes=100-", 206, whole[100:]),
        ("bytes=-5", 206, whole[-5:]),
        ("bytes=0-99999999", 206, whole),
        ("lines=1-2", 200, whole),  # in HTTP an unknown unit is not a range
    ]:
        response = client.get(AUDIO.format(0), headers={"Range": asked})
        assert response.status_code == status, asked
        assert response.content == content, asked
    assert client.get(AUDIO.format(0), headers={"Range": "bytes=0-9"}).headers["content-range"] == f"bytes 0-9/{size}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=abc", 400), ("bytes=9-2", 400), ("bytes=", 400), ("bytes", 400), ("bytes=9999999-", 416)],
)
def test_invalid_ranges_are_refused(client, method, asked, status):
    url = client.origin + AUDIO.format(0)
    response = requests.request(method, url, headers={"Range": asked}, timeout=10)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert ("content-range" in response.headers) == (status == 416)
    assert (repr(asked) in response.json()["error"]) if method == "GET" else response.content == b""
    response = requests.request(method, url, headers={"Range": asked, "If-Range": '"another"'}, timeout=10)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "row", ["-1", "16", str(10**12), str(10**40), "../0", "..%2f..%2fparams.yaml", "0.5", "%00", ""]
)
def test_unknown_rows(client, row):
    response = client.get(AUDIO.format(row))
    assert response.status_code == 404
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize("name", ["nothing", "..", "../films", "..%2ffilms", "films%00", "%2e%2e"])
def test_unknown_libraries(client, name):
    assert client.get(f"/api/libraries/{name}/tracks/0/audio").status_code == 404


@pytest.mark.parametrize(
    "row", range(3, 10), ids=["dots", "link", "gone", "folder", "absolute", "zero byte", "other file"]
)
def test_files_that_lie_elsewhere_are_not_sent(client, row):
    response = client.get(OWN.format(row))
    assert (response.status_code, response.json()) == (
        404,
        {"error": "the file of this track is missing from the library's folder"},
    )


def test_poster_that_lies_elsewhere_is_not_sent(client):
    films = {"AAA": {"image": "../outside.mp3"}, "AAB": {"image": "data/image/gone.jpg"}}
    for fid in films:
        with pytest.raises(Refused, match="no film with this id and a poster"):
            Examples(client.root, films).poster(fid)


def test_outline_of_a_file(client):
    found = [client.get(path.format(row)).json() for path, row in [(OWN_TRACK, 1), (OWN_TRACK, 5), (FILM_TRACK, 3)]]
    assert found[0] == {"peaks": [*OWN_PEAKS], "seconds": 6.0}
    assert found[1]["peaks"] is None
    assert found[2]["peaks"] == [3, 255]
    assert found[2]["seconds"] == client.answer(like=[2], k=16)["tracks"][0]["seconds"]


@pytest.mark.parametrize(("path", "row"), [(OWN_TRACK, 10), (OWN_TRACK, -1), (FILM_TRACK, "x")])
def test_outlines_of_unknown_tracks(client, path, row):
    response = client.get(path.format(row))
    assert (response.status_code, list(response.json())) == (404, ["error"])


def exported(client, kind, **options):
    return requests.get(f"{client.origin}/api/export", params={"format": kind} | options, timeout=30)


def test_table_for_a_spreadsheet(client):
    tracks = client.answer(tags="war", k=5)["tracks"]
    rows, scores = [track["row"] for track in tracks], [track["score"] for track in tracks]
    response = exported(client, "csv", row=rows, score=scores)
    assert response.headers["content-disposition"] == 'attachment; filename="soundtracks.csv"'
    assert response.content.startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding"
    table = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [row["path"] for row in table] == [track["path"] for track in tracks]
    assert [float(row["score"]) for row in table] == scores
    assert [row["rank"] for row in table] == ["1", "2", "3", "4", "5"]
    own = exported(client, "csv", row=[0], library="own music").content.decode("utf-8-sig")
    (cells,) = csv.DictReader(io.StringIO(own))
    assert cells["film"] == "'=1+1"
    assert cells["artist"].startswith("'@artist")


def test_playlist_for_a_player(client):
    response = exported(client, "m3u8", row=[2, 0], library="own music")
    assert response.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    lines = response.content.decode().splitlines()
    assert lines[0] == "#EXTM3U"
    path = str((client.root.parent / "music/album/long.mp3").resolve())
    assert [line for line in lines if not line.startswith("#")] == [path, path]
    assert sum(line.startswith("#EXTINF:") for line in lines) == 2, "a title broke a line"
    assert "#EXTVLCOPT:start-time=4" in lines


@pytest.mark.parametrize("row", [3, 5, 7])
def test_playlist_has_no_path_that_leads_elsewhere(client, row):
    lines = exported(client, "m3u8", row=[row], library="own music").text.splitlines()
    assert lines[-1] == client.origin + OWN.format(row)


def test_path_that_would_break_a_line_is_an_address():
    assert file_entry(Path("/music/a\nb.mp3")) == "file:///music/a%0Ab.mp3"
    assert file_entry(Path("/music/ä b.mp3")) == "/music/ä b.mp3"


def test_shared_playlist_uses_the_address_of_the_server(site_recommender, params, site_root):
    app = create_app(site_recommender, params.recommend, site_root, Access(any_address=True))
    with serving(app) as origin:
        others = Client(origin, site_root)
        found = others.get("/api/export?format=m3u8&row=0", headers={"Host": "localhost:9"}).text.splitlines()
        assert found[-1] == origin + AUDIO.format(0)
        assert "Playlist (addresses)" in others.get("/").text


def test_playlist_names_the_address_of_a_proxy(site_recommender, params, site_root):
    access = Access(address="https://music.example")
    with serving(create_app(site_recommender, params.recommend, site_root, access)) as origin:
        found = Client(origin, site_root).get("/api/export?format=m3u8&row=0").text.splitlines()
    assert found[-1] == "https://music.example" + AUDIO.format(0)


def test_list_for_programs(client):
    found = json.loads(exported(client, "json", row=[4, 1]).content)
    assert [track["path"] for track in found["tracks"]] == [
        track["path"] for row in (4, 1) for track in client.answer(tags="war", k=16)["tracks"] if track["row"] == row
    ]


def test_invalid_lists(client):
    for options, status in [
        ({"row": [99]}, 404),
        ({"row": [-1]}, 404),
        ({"row": [0], "library": "../films"}, 404),
        ({"row": [0, 1], "score": [0.5]}, 422),
        ({"row": [0], "score": ["nan"]}, 422),
        ({"row": ["x"]}, 422),
        ({"row": [0] * 201}, 422),
        ({}, 422),
    ]:
        response = exported(client, "csv", **options)
        assert (response.status_code, list(response.json())) == (status, ["error"]), options
    assert exported(client, "exe", row=[0]).status_code == 422


def test_titles_are_text_on_the_page(client):
    page = client.get("/").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(&#39;title&#39;)" in page
    assert page.count("<script") == 2  # the page's own modules
    assert "Playlist (file paths)" in page
