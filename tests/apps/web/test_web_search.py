"""Filters, steering, sounds and reasons through the API: what reaches the engine, and what is refused."""

from dataclasses import replace

import pytest
import requests

from pipeline.apps.recommend.filters import parse_filters
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request
from pipeline.apps.web.app import create_app
from pipeline.core.errors import ModelError
from tests.apps.web.small_site import serving

WORDS = Query(None, "war dog", None, None)
OWN = {"tags": "war dog", "library": "own music", "variant": "Words", "k": 20}


def rows(answer: dict) -> list[int]:
    return [track["row"] for track in answer["tracks"]]


def test_what_a_library_can_be_filtered_by(client):
    found = client.get("/api/libraries/own%20music").json()
    assert (found["name"], found["tracks"], found["hours"]) == ("own music", 10, 0.02)
    assert found["filters"] == {
        "length": [6.0, 20.0],
        "tempo": [90.0, 90.0],
        "loudness": [-20.0, -20.0],
        "year": None,
        "keys": [{"key": "A minor", "tracks": 10}],
        "vocals": {"vocal": 0, "instrumental": 10},
        "music": [],
    }
    unknown = client.get("/api/libraries/nowhere")
    assert (unknown.status_code, "allowed are films, own music" in unknown.json()["error"]) == (404, True)


def test_filters_reach_the_engine_and_report_what_is_left(client, site_recommender):
    texts = {"length": "0:10-0:20", "tempo": "..90", "loudness": "-20..", "key": "A", "vocals": "instrumental"}
    answer = client.answer(**OWN, **texts)
    request = Request(WORDS, 20, "own music", "Words", filters=parse_filters(texts))
    assert rows(answer) == [track["row"] for track in site_recommender.recommend(request).tracks]
    assert answer["filtered"] == {"tracks": 7, "alone": dict.fromkeys(texts, 10) | {"length": 7}}
    assert client.answer(**OWN)["filtered"] is None
    nothing = client.answer(**OWN, tempo="91-120", vocals="instrumental", why="true")
    assert (nothing["tracks"], nothing["filtered"]) == ([], {"tracks": 0, "alone": {"tempo": 0, "vocals": 10}})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tempo": "fast"}, "tempo: found 'fast', expected a range such as 60-90"),
        ({"length": "3:00-1:00"}, "length: found '3:00-1:00'"),
        ({"year": "1" * 41}, "year: found"),
        ({"key": "H"}, "key: found 'H'"),
        ({"vocals": "choir"}, "vocals: found 'choir', allowed are vocal and instrumental"),
        ({"music": "strings"}, "music: found 'strings'"),
        ({"weight_tags": "3"}, "weight_tags: found '3', should be less than or equal to 2"),
        ({"weight_plot": "nan"}, "weight_plot: found 'nan'"),
        ({"weight_tags": "0"}, "weights: found 0 for tags"),
        ({"less": "99"}, "less: found row 99, the library has rows 0 to 9"),
    ],
)
def test_invalid_filters_and_weights(client, fields, said):
    response = client.recommend(**OWN, **fields)
    assert response.status_code == 422
    assert said in response.json()["error"]


def test_weights_and_less_reach_the_engine(client, site_recommender):
    query = Query(None, "war dog", "a dog runs .", None)
    answer = client.answer(
        tags="war dog", plot="a dog runs .", variant="Pair", k=16, weight_plot=0.25, weight_tags=2, less=[3, 6]
    )
    request = Request(query, 16, variant="Pair", weights={"plot": 0.25, "tags": 2.0}, less=(3, 6))
    expected = site_recommender.recommend(request)
    assert [(track["row"], track["score"]) for track in answer["tracks"]] == [
        (track["row"], track["score"]) for track in expected.tracks
    ]
    assert not {3, 6} & {*rows(answer)}


def test_reasons_come_with_why_alone(client):
    query = {"tags": "war dog", "plot": "a dog runs . war begins . home .", "variant": "Pair", "k": 16}
    told = client.answer(**query, why="true")["tracks"]
    assert all(answer["part"] in ("tags", "plot") and answer["drop"] > 0 for of in told for answer in of["answers"])
    assert any(of["answers"] for of in told)
    assert {track["answers"] is None for track in client.answer(**query)["tracks"]} == {True}


def test_similar_tracks_to_an_uploaded_sound(site_recommender, params, site_root):
    index = site_recommender.opened("films", site_recommender.models["Words"]).index
    heard = []

    def hear(path, model):
        heard.append((path, path.read_bytes(), model.name))
        if heard[-1][1] == b"noise":
            raise ModelError(f"{path} cannot be used: it is no audio file")
        return index.vectors[2]

    def ask(origin, content, count=1, **fields):
        files = [("sound", ("../../x.mp3", content, "audio/mpeg"))] * count
        return requests.post(f"{origin}/api/recommend", data={"variant": "Words", **fields}, files=files, timeout=30)

    limits = replace(params.recommend, max_sound_bytes=1000)
    with serving(create_app(site_recommender, limits, site_root, hear=hear)) as origin:
        alone = ask(origin, b"music", k=5).json()
        both = ask(origin, b"music", k=5, tags="war dog").json()
        refused = [ask(origin, b"noise"), ask(origin, b"x" * 1001), ask(origin, b"music", 2)]
    sounds = (index.vectors[2],)
    for answer, query in ((alone, Query(None, "", "", None)), (both, WORDS)):
        request = Request(query, 5, variant="Words", sounds=sounds)
        assert rows(answer) == [track["row"] for track in site_recommender.recommend(request).tracks]
    assert rows(alone) != rows(both), "the words count for nothing: the test shows nothing"
    assert [name for _, _, name in heard] == ["Words"] * 3
    assert not any(path.exists() or "x.mp3" in path.name for path, *_ in heard)
    errors = [(response.status_code, response.json()["error"]) for response in refused]
    assert errors[0] == (
        422,
        "sound: cannot be used: it is no audio file; send an audio file such as MP3, FLAC or WAV",
    )
    assert errors[1] == (413, "sound: 1001 bytes, at most 1000 (recommend.max_sound_bytes)")
    assert errors[2] == (400, "sound: found 2 files, one is allowed")


def test_a_server_that_reads_no_audio_says_so(client):
    files = {"sound": ("a.mp3", b"music", "audio/mpeg")}
    response = requests.post(f"{client.origin}/api/recommend", files=files, timeout=30)
    assert (response.status_code, "sound: this server does not accept audio" in response.json()["error"]) == (422, True)
