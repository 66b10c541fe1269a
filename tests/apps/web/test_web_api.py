"""The API: its answers are those of the engine, and invalid queries are refused in plain words."""

import io
import re
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests
from PIL import Image

from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request
from pipeline.apps.web import site as site_module
from pipeline.apps.web.app import create_app
from pipeline.media.pictures import read_picture
from pipeline.store.inputs import MAX_PIXELS
from tests.apps.web.small_site import HOSTILE, VARIANTS, Client, jpeg, png_of, serving


def test_models_libraries_and_examples(client):
    models = client.get("/api/models").json()
    assert {model["name"]: model["needs"] for model in models} == {
        "Words": ["tags"],
        "Still": ["image"],
        "Pair": ["tags", "plot"],
        "Whole": ["tags", "plot", "image"],
    }
    assert [library["name"] for library in client.get("/api/libraries").json()] == ["films", "own music"]
    examples = client.get("/api/examples").json()
    assert [film["fid"] for film in examples] == ["AAD", "AAE", "AAF", "AAG", "AAH"]  # the test set
    poster = client.get(examples[1]["image"])
    assert poster.headers["content-type"] == "image/jpeg"
    assert poster.content == (client.root / "data/image/AAE.jpg").read_bytes()


def test_answers_match_the_engine(client, site_recommender):
    tags, plot, image = "war dog", "a dog runs .\na war .", jpeg()
    found = client.answer(image, tags=tags, plot="a dog runs .\r\na war .", k=4, why="true")
    query = Query(None, tags, plot, read_picture(io.BytesIO(image), MAX_PIXELS))
    expected = site_recommender.recommend(Request(query, 4, why=True))
    assert found["model"] == {
        "name": "Whole",
        "needs": ["tags", "plot", "image"],
        "any_of": False,
        "recall_at_10": None,
        "hit_rate_at_10": None,
        "chance_hit_rate_at_10": None,
        "films": None,
        "chosen": expected.chosen,
    }
    assert (found["library"], found["unused"]) == ("films", [])
    for track, known in zip(found["tracks"], expected.tracks, strict=True):
        row, fid = known["row"], known["fid"]
        beside = {"audio": f"/api/libraries/films/tracks/{row}/audio", "image": f"/api/examples/{fid}/image"}
        assert known["source_url"] == "{origin}/audio/0.mp3"
        assert track == known | beside | {"source_url": ""}  # not usable elsewhere


def test_example_film_is_asked_with_its_poster(client):
    film = next(film for film in client.get("/api/examples").json() if film["fid"] == "AAF")
    whole = {"tags": film["tags"], "plot": film["plot"], "k": 3}
    by_poster = client.answer((client.root / "data/image/AAF.jpg").read_bytes(), **whole)
    assert client.answer(example="AAF", **whole)["tracks"] == by_poster["tracks"]
    assert client.answer(jpeg(), **whole)["tracks"] != by_poster["tracks"]


def test_options_reach_the_engine(client):
    first = client.answer(tags="war", variant="Words", k=16)["tracks"]
    assert len({track["fid"] for track in first}) == 8
    one_each = client.answer(tags="war", per_film=1, k=16)["tracks"]
    assert sorted(track["fid"] for track in one_each) == sorted({track["fid"] for track in first})
    without = client.answer(tags="war", exclude=["AAH", HOSTILE], k=16)["tracks"]
    assert {track["fid"] for track in first} - {track["fid"] for track in without} == {"AAH", "AAD"}
    unread = client.answer(jpeg(), tags="war", variant="Still", k=1)
    assert (unread["unused"], unread["tracks"][0]["without"]) == (["tags"], None)
    assert client.answer(tags="war", per_film="", variant="", library="", example="", k=1)["tracks"] == first[:1]


def test_likeness_leaves_the_track_itself_out(client):
    tracks = client.answer(like=[3, 5], variant="Words", k=16)["tracks"]
    assert not {3, 5} & {track["row"] for track in tracks}
    assert len(tracks) == 14


def test_another_library(client):
    found = client.answer(tags="war", library="own music", variant="Words", k=9)
    rows = [track["row"] for track in found["tracks"]]
    assert len({track["path"] for track in found["tracks"]}) == len(rows) == 8  # one of a file's segments
    assert all(track["audio"].startswith("/api/libraries/own%20music/tracks/") for track in found["tracks"])
    assert {track["image"] for track in found["tracks"]} == {None}
    assert client.get("/api/libraries").json()[1] == {"name": "own music", "tracks": 10}


def test_form_without_files_may_be_urlencoded(client):
    response = requests.post(f"{client.origin}/api/recommend", data={"tags": "war", "k": 2}, timeout=30)
    assert len(response.json()["tracks"]) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "the query is empty"),
        ({"tags": "  ", "plot": "\n"}, "the query is empty"),
        ({"plot": "a dog"}, "no trained model fits a query with only a plot: add tags"),
        ({"tags": "war", "variant": "Nobody"}, "variant: found 'Nobody', allowed are the trained"),
        ({"tags": "war", "variant": "../../etc"}, "variant: found '../../etc', allowed are the trained"),
        ({"tags": "war", "library": "../films"}, "library: found '../films', allowed are films, own music"),
        ({"tags": "war", "exclude": "Nobody's film"}, "exclude: the library has no film or album"),
        ({"tags": "war", "exclude": "x" * 301}, "exclude.0: found 'xxx"),
        ({"tags": "war", "k": 0}, "k: found '0', should be greater than or equal to 1"),
        ({"tags": "war", "k": 10**9}, "k: found '1000000000', should be less than or equal to 200"),
        ({"tags": "war", "k": "many"}, "k: found 'many', should be a valid integer"),
        ({"tags": "war", "per_film": -1}, "per_film: found '-1'"),
        ({"like": [1, 10**30]}, "like: found row 1000000000000000000000000000000"),
        ({"like": [-1]}, "like: found row -1"),
        (
            {"plot": "word " * 200_000, "tags": "war"},
            "plot: 1000000 characters, at most 50000 (recommend.max_text_chars)",
        ),
        (
            {"plot": "word " * 400_000, "tags": "war"},
            "plot: 2000000 characters, at most 50000 (recommend.max_text_chars)",
        ),
        ({"tags": "t" * 50_001}, "tags: 50001 characters, at most 50000"),
        ({"plot": "a\r\n" * 101, "tags": "war"}, "plot: 101 paragraphs, at most 100"),
        (
            {"tags": "war", "library": "own music", "variant": "Pair", "plot": "a"},
            "Pair.parquet is missing: run `index`",
        ),
    ],
)
def test_invalid_queries(client, fields, said):
    response = client.recommend(**fields)
    assert response.status_code == 422
    assert list(response.json()) == ["error"]
    assert said in response.json()["error"]
    assert len(response.text) < 1000
    assert str(client.root.parent) not in response.text, "the answer tells where things lie"


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("picture.jpg", jpeg())
    return out.getvalue()


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (b"", "cannot be decoded"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "cannot be decoded"),
        (b"<!doctype html><p>no picture</p>", "cannot be decoded"),
        (archive(), "cannot be decoded"),
        (jpeg()[: len(jpeg()) // 2], "cannot be decoded"),
        (png_of(50_000, 50_000), "2500000000 px"),
    ],
    ids=["empty", "svg", "html", "zip", "truncated", "bomb"],
)
def test_files_that_are_not_pictures(client, image, said):
    response = client.recommend(image)
    assert response.status_code == 422
    error = response.json()["error"]
    assert error.startswith("image: ")
    assert error.endswith("; send a complete JPEG, PNG, GIF or WebP file")
    assert said in error or "Pillow's own limit" in error
    assert "Error" not in error, "an exception's name is no plain word"


def test_claimed_name_and_type_of_a_file_are_ignored(client):
    out = io.BytesIO()
    Image.new("RGB", (30, 30), "red").save(out, "PNG")
    files = {"image": ("../../x.svg", out.getvalue(), "text/html")}
    response = requests.post(f"{client.origin}/api/recommend", files=files, data={"k": 1}, timeout=30)
    assert response.status_code == 200


def test_words_of_all_kinds_are_answered(client):
    for tags in ("🎬🎻", HOSTILE, "\x00\x07", "ﷺ" * 1000, "\u202eabc", "'; DROP TABLE tracks; --", "{{ 7 * 7 }}"):
        assert len(client.answer(tags=tags, k=1)["tracks"]) == 1


def test_invalid_forms(client):
    url = f"{client.origin}/api/recommend"
    for body, kind in [
        (b"{}", "application/json"),
        (b"nothing", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"\xff\xfe", "text/plain"),
        (b"", None),
    ]:
        headers = {"Content-Type": kind} if kind else {}
        response = requests.post(url, data=body, headers=headers, timeout=30)
        assert response.status_code in (400, 422), (kind, response.text)
        assert response.json()["error"]
    two = [("image", ("a.jpg", jpeg(), "image/jpeg")), ("image", ("b.jpg", jpeg(), "image/jpeg"))]
    assert requests.post(url, files=two, timeout=30).status_code == 400
    both = requests.post(url, files=two[:1], data={"example": "AAF"}, timeout=30)
    assert (both.status_code, both.json()) == (422, {"error": "image: send a file or an example, not both"})


def test_image_over_the_limit(site_recommender, params, site_root):
    few = replace(params.recommend, max_image_bytes=1000)
    with serving(create_app(site_recommender, few, site_root)) as origin:
        response = Client(origin, site_root).recommend(jpeg(200, 200))
    assert response.status_code == 413
    assert "at most 1000 (recommend.max_image_bytes)" in response.json()["error"]


def test_few_pictures_are_decoded_at_once(client, monkeypatch):
    here, most, lock = 0, 0, threading.Lock()

    def counted(*arguments):
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        time.sleep(0.02)
        with lock:
            here -= 1
        return read_picture(*arguments)

    monkeypatch.setattr(site_module, "read_picture", counted)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.recommend(jpeg(), k=1).status_code, range(12)))
    assert answers == [200] * 12
    assert most == site_module.AT_ONCE


def test_building_an_index_does_not_block_other_searches(client, site_recommender, monkeypatch):
    made, asked = threading.Event(), threading.Semaphore(0)

    def slow(model):
        asked.release()
        assert made.wait(30)
        return site_recommender.libraries["films"].index(model)

    libraries = site_recommender.libraries | {"slow": SimpleNamespace(index=slow, folder=client.root)}
    monkeypatch.setattr(site_recommender, "libraries", libraries)
    count = site_module.AT_ONCE + 1
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(client.recommend, jpeg(), library="slow", k=1) for _ in range(count)]
        try:
            assert asked.acquire(timeout=30)
            quick = [client.answer(jpeg(), k=1), client.answer(tags="war", variant="Words", k=1)]
            audio = client.get(quick[0]["tracks"][0]["audio"])
            assert not any(future.done() for future in waiting)
        finally:
            made.set()
        answers = [future.result(30).json() for future in waiting]
    assert audio.status_code == 200
    assert [answer["tracks"][0]["path"] for answer in answers] == [quick[0]["tracks"][0]["path"]] * count
    assert not asked.acquire(blocking=False), "the index was made more than once"


def test_unexpected_failure(client, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError(f"secret {client.root}")

    monkeypatch.setattr(site_module, "read_picture", fail)
    response = client.recommend(jpeg())
    assert response.status_code == 500
    assert response.json() == {"error": "internal error; see the server log"}
    assert "secret" not in response.text
    assert "secret" in caplog.text
    assert "content-security-policy" in response.headers


def test_unknown_addresses(client):
    for path in ("/nothing", "/api", "/api/nothing", "/redoc", "/static/../app.py", "/static/%2e%2e/app.py"):
        response = client.get(path)
        assert (response.status_code, list(response.json())) == (404, ["error"]), path
    for fid in ("AAZ", "../AAF", "..%2f..%2fparams.yaml", "%00", "AAA.jpg"):
        assert client.get(f"/api/examples/{fid}/image").status_code == 404
    assert client.get("/api/recommend").status_code == 405
    assert client.recommend(example="../AAF").status_code == 404


def test_openapi_describes_every_field_and_failure(client):
    described = client.get("/openapi.json").json()
    assert sorted(described["paths"]) == [
        "/api/examples",
        "/api/examples/{fid}/image",
        "/api/export",
        "/api/indexing",
        "/api/libraries",
        "/api/libraries/{name}",
        "/api/libraries/{name}/files",
        "/api/libraries/{name}/files/export",
        "/api/libraries/{name}/indexing",
        "/api/libraries/{name}/tracks/{row}/audio",
        "/api/libraries/{name}/tracks/{row}/peaks",
        "/api/models",
        "/api/recommend",
        "/api/tracks",
    ]
    form = described["components"]["schemas"]["Body_recommend_api_recommend_post"]["properties"]
    assert all(field.get("description") for field in form.values())
    assert "HTTPValidationError" not in str(described)
    answer = client.answer(tags="war", k=1, why="true")
    assert set(answer["tracks"][0]) == set(described["components"]["schemas"]["FoundTrack"]["properties"])
    assert VARIANTS.keys() == {model["name"] for model in client.get("/api/models").json()}


def test_docs_load_nothing_from_elsewhere_and_are_as_guarded_as_the_page(client):
    docs = client.get("/docs")
    assert docs.headers["Content-Security-Policy"] == client.get("/").headers["Content-Security-Policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', docs.text)
    assert len(loaded) == 7 and all(address.startswith("/") for address in loaded)
    assert [address for address in loaded if client.get(address).status_code != 200] == []
    assert "PACKAGE_VERSION" in client.get("/swagger/swagger-ui-bundle.js").text
    assert "curl http://127.0.0.1:8000/api/models" in client.get("/openapi.json").text
    assert "Authorization" not in client.get("/openapi.json").text
