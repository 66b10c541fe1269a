"""Recommendations compared with a plain calculation: order, filters, similarity, and the effect of each part."""

import threading
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.picking import excluded_films, picked
from pipeline.apps.recommend.query import Encoders, Query, QueryEncoder
from pipeline.apps.recommend.recommender import Recommender, Request
from pipeline.apps.recommend.search import ExactSearch
from pipeline.core.errors import ModelError
from pipeline.core.tables import DATASET, read_table
from pipeline.model.store import load_model
from tests.apps.recommend.asked_world import CPU
from tests.apps.recommend.tracks import make_index, track

pytestmark = pytest.mark.slow


@pytest.fixture
def query(asked_root: Path) -> Query:
    row = read_table(asked_root / "data/dataset.parquet", DATASET, "split")[0]
    return Query(None, row["tags"], row["plot"], asked_root / row["image"])


def vector_of(root: Path, variant: str, query: Query, without: str | None = None) -> np.ndarray:
    encoder = QueryEncoder(*load_model(root / "models" / variant), Encoders(CPU))
    return encoder.encode_without([query], [frozenset([without] if without else [])])[0, 0]


def index_of(recommender: Recommender, variant: str) -> TrackIndex:
    return recommender.opened("films", recommender.models[variant]).index


def in_order(scores: np.ndarray) -> list[int]:
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))


def rows(answer) -> list[int]:
    return [found["row"] for found in answer.tracks]


def test_the_tracks_nearest_to_the_query_in_order_with_their_facts(recommender, asked_root, query):
    answer = recommender.recommend(Request(query, k=5))
    assert answer.model.name == "Whole"
    index = index_of(recommender, "Whole")
    scores = index.vectors @ vector_of(asked_root, "Whole", query)
    assert rows(answer) == in_order(scores)[:5]
    assert [found["rank"] for found in answer.tracks] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([found["score"] for found in answer.tracks], np.sort(scores)[::-1][:5], atol=1e-6)
    dataset = read_table(asked_root / "data/dataset.parquet", DATASET, "split")
    for found in answer.tracks:
        row = dataset[found["row"]]
        assert {name: found[name] for name in ("fid", "number", "path")} == {
            name: row[name] for name in ("fid", "number", "path")
        }
        assert found["film"] == row["title"]
        assert (found["title"], found["start_seconds"]) == (f"Suite {row['fid']}", 2.0 * row["number"])


def test_parts_that_the_model_does_not_read_are_told(recommender, query):
    answer = recommender.recommend(Request(query, k=1, variant="Words"))
    assert (answer.model.name, answer.chosen, answer.unused) == ("Words", "as requested", ("plot", "image"))
    assert recommender.recommend(Request(query, k=1)).unused == ()


def test_few_tracks_of_a_film_and_none_of_excluded_ones(recommender, query):
    everything = recommender.recommend(Request(query, k=100))
    order = [(found["fid"], found["row"]) for found in everything.tracks]
    assert len(order) == len(index_of(recommender, "Whole"))
    one = recommender.recommend(Request(query, k=100, per_film=1))
    first = dict(reversed(order))
    assert sorted(rows(one)) == sorted(first.values())
    assert rows(one) == [row for _, row in order if row in first.values()]
    best = order[0][0]
    without = recommender.recommend(Request(query, k=100, exclude=(best, "film 2")))
    assert rows(without) == [row for fid, row in order if fid not in (best, "AAC")]


def test_why_is_each_tracks_place_without_each_part(recommender, asked_root, query):
    answer = recommender.recommend(Request(query, k=4, why=True))
    index = index_of(recommender, "Whole")
    whole = index.vectors @ vector_of(asked_root, "Whole", query)
    for found in answer.tracks:
        assert list(found["without"]) == ["tags", "plot", "image"]
        assert found["place"] == in_order(whole).index(found["row"]) + 1
        for part, told in found["without"].items():
            scores = index.vectors @ vector_of(asked_root, "Whole", query, part)
            assert told["score"] == pytest.approx(scores[found["row"]], abs=1e-6)
            assert told["place"] == in_order(scores).index(found["row"]) + 1
    moved = {part: {f["without"][part]["score"] - f["score"] for f in answer.tracks} for part in ("tags", "image")}
    assert all(max(map(abs, changes)) > 1e-6 for changes in moved.values()), "leaving a part out changes nothing"
    single = recommender.recommend(Request(replace(query, plot=None, image=None), k=1, why=True))
    assert single.tracks[0]["without"] == {}, "of one part none can be left out"
    assert "without" not in recommender.recommend(Request(query, k=1)).tracks[0]


def test_more_like_a_track_without_the_track_itself(recommender):
    nothing = Query(None, None, None, None)
    answer = recommender.recommend(Request(nothing, k=4, like=(6,)))
    index = index_of(recommender, "Text")
    assert (answer.model.name, answer.chosen) == ("Text", "the published variant")
    assert rows(answer) == [row for row in in_order(index.vectors @ index.vectors[6]) if row != 6][:4]
    assert answer.tracks[0]["score"] == pytest.approx(
        float(index.vectors[rows(answer)[0]] @ index.vectors[6]), abs=1e-6
    )
    heard = recommender.recommend(Request(nothing, k=4, sounds=(index.vectors[6],)))
    assert rows(heard)[0] == 6, "a sound from elsewhere is no track of the library"


def test_a_query_and_a_liked_track_meet_half_way(recommender, asked_root, query):
    index = index_of(recommender, "Whole")
    between = vector_of(asked_root, "Whole", query) + index.vectors[2]
    scores = index.vectors @ (between / np.linalg.norm(between))
    answer = recommender.recommend(Request(query, k=3, like=(2,)))
    assert rows(answer) == [row for row in in_order(scores) if row != 2][:3]
    assert answer.tracks[0]["score"] == pytest.approx(scores[rows(answer)[0]], abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k: found 0"),
        ({"per_film": 0}, "per_film: found 0"),
        ({"variant": "Nope"}, "variant: found 'Nope', allowed are the trained"),
        ({"library": "../x"}, r"library: found '../x', allowed are films"),
        ({"like": (-1,)}, "like: found row -1"),
        ({"like": (10**12,)}, "like: found row 1000000000000"),
        ({"exclude": ("Film 22",)}, "exclude: the library has no film or album 'Film 22'; similar names: film 2"),
        ({"query": Query(None, " ", "\n", None)}, "the query is empty"),
        ({"query": Query(None, " , ,", None, None)}, "the query is empty"),
        ({"query": Query(None, "x" * 50001, None, None)}, "tags: 50001 characters, at most 50000"),
        ({"query": Query(None, None, "x" * 10**6, None)}, "plot: 1000000 characters"),
        ({"query": Query(None, None, "x\n" * 101, None)}, "plot: 101 paragraphs, at most 100"),
    ],
)
def test_invalid_requests_are_explained(recommender, query, changes, message):
    with pytest.raises(ModelError, match=message):
        recommender.recommend(replace(Request(query, k=3), **changes))


@pytest.mark.parametrize("text", ["🎬🎻 💔", "\u202e\x00\x1b[31m", "<script>", "ß" * 3000, "a" * 50000])
def test_odd_texts_are_answered(recommender, text):
    assert len(recommender.recommend(Request(Query(None, text, text, None), k=2)).tracks) == 2


def test_of_segments_of_a_file_the_nearest_stands_for_it():
    vectors = np.array([[1, 0.1], [1, 0.0], [1, 0.2], [0, 1]])
    tracks = [track(0, path="a.mp3"), track(1, path="a.mp3"), track(2, path="b.mp3"), track(3, path="b.mp3")]
    index = make_index(vectors, tracks)
    assert picked(index, ExactSearch(index), np.array([1.0, 0.0], np.float32), 9) == [1, 2]


def test_films_are_told_apart_by_id_and_albums_by_title():
    titles = ["Nosferatu", "Nosferatu", "", "Album"]
    tracks = [track(n, fid=fid, film=t) for n, (fid, t) in enumerate(zip(["AAA", "AAB", "", ""], titles, strict=True))]
    index = make_index(np.eye(4), tracks)
    assert len(set(index.films.tolist())) == 4
    assert excluded_films(index, ["NOSFERATU"]) == set(index.films[:2].tolist())
    assert excluded_films(index, ["AAB", "album"]) == set(index.films[[1, 3]].tolist())


def test_many_threads_get_the_answers_of_one(recommender, query):
    requests = [Request(query, k=3, variant=name) for name in ("Words", "Story", "Still", "Whole")] * 5
    alone = [rows(recommender.recommend(request)) for request in requests]
    found: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda n=n, r=r: found.update({n: rows(recommender.recommend(r))}))
        for n, r in enumerate(requests)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(requests))] == alone


def test_index_is_opened_before_a_request_is_answered_and_refused_with_it(recommender, query):
    request = Request(query, k=3)
    assert recommender.opening(request).result(30).index is index_of(recommender, "Whole")
    assert recommender.opening(replace(request, variant="Words")).result(30).index is index_of(recommender, "Words")
    for changes in ({"k": 0}, {"variant": "Nope"}, {"library": "nowhere"}, {"query": Query(None, ",", None, None)}):
        with pytest.raises(ModelError):
            recommender.opening(replace(request, **changes))


def test_an_approximate_search_says_what_it_finds(recommender, params, query, caplog):
    settings = replace(params.recommend, search="approximate")
    approximate = Recommender(recommender.trained, recommender.libraries, settings, CPU, "Text", "words")
    with caplog.at_level("INFO"):
        answer = approximate.recommend(Request(query, k=3))
    assert "approximate search has a recall of 1.000" in caplog.text
    assert len(answer.tracks) == 3


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_titles_are_compared_composed(form):
    films = [unicodedata.normalize("NFD", "Dröm"), unicodedata.normalize("NFC", "Dröm"), "Other"]
    tracks = [track(number, fid="", film=film, path=f"{number}.mp3") for number, film in enumerate(films)]
    index = make_index(np.eye(3), tracks)
    for name in ("Dröm", "DRÖM"):
        assert excluded_films(index, [unicodedata.normalize(form, name)]) == set(index.films[:2].tolist())
