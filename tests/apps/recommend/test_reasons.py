"""Reasons compared with encoding each reduced query alone, and ranks among the tracks that pass filters."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.apps.recommend import reasons
from pipeline.apps.recommend.passages import Passage, passages
from pipeline.apps.recommend.query import Encoders, Query, QueryEncoder
from pipeline.apps.recommend.reasons import add_answers, add_places
from pipeline.apps.recommend.recommender import Request
from pipeline.core.tables import DATASET, read_table
from pipeline.model.store import load_model
from tests.apps.recommend.asked_world import CPU
from tests.apps.recommend.tracks import make_index

PLOT = "A dog runs . War begins !\nThe dog begins home . Home ."


def test_the_greatest_drops_that_matter_come_first():
    index = make_index(np.eye(2))
    drops = {"first": 0.2, "small": 0.04, "second": 0.1, "third": 0.06, "fourth": 0.055, "worse": -0.3}
    without = [(Passage("plot", text, None), np.array([0.9 - drop, 0], np.float32)) for text, drop in drops.items()]
    tracks = [{"row": 0, "score": 0.9}, {"row": 1, "score": 0.005}]
    add_answers(index, tracks, without)
    assert [answer["text"] for answer in tracks[0]["answers"]] == ["first", "second", "third"]
    assert [answer["drop"] for answer in tracks[0]["answers"]] == pytest.approx([0.2, 0.1, 0.06], abs=1e-6)
    assert tracks[1]["answers"] == [], "half a hundredth of a cosine is no reason"
    add_answers(index, tracks[:1], [without[0], without[1]])
    assert [answer["text"] for answer in tracks[0]["answers"]] == ["first"], "it is less than a quarter of the other"
    add_answers(index, tracks, [])
    assert tracks[0]["answers"] == []


@pytest.fixture
def query(asked_root: Path) -> Query:
    row = read_table(asked_root / "data/dataset.parquet", DATASET, "split")[0]
    return Query(None, "war dog home", PLOT, asked_root / row["image"])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["Whole", "Pair", "Words"])
def test_answers_against_encoding_each_reduced_query_alone(recommender, asked_root, query, variant, monkeypatch):
    monkeypatch.setattr(reasons, "LEAST_DROP", 1e-4)
    encoder = QueryEncoder(*load_model(asked_root / "models" / variant), Encoders(CPU))
    index = recommender.opened("films", recommender.models[variant]).index
    whole = encoder.encode([query])[0]
    found = passages(query, encoder.needs, "words")
    assert len(found) == (7 if "plot" in encoder.needs else 3)
    vectors = [encoder.encode([passage.rest])[0] for passage in found]
    answered = 0
    for track in recommender.recommend(Request(query, k=8, variant=variant, why=True)).tracks:
        of_track = index.vectors[track["row"]]
        drops = sorted(
            ((float((whole - v) @ of_track), p.part, p.text) for p, v in zip(found, vectors, strict=True)),
            reverse=True,
        )
        expected = [drop for drop in drops[:3] if drop[0] >= max(1e-4, 0.25 * drops[0][0])]
        assert [(of["part"], of["text"]) for of in track["answers"]] == [(part, text) for _, part, text in expected]
        assert [of["drop"] for of in track["answers"]] == pytest.approx([drop for drop, *_ in expected], abs=1e-5)
        answered += len(expected)
    assert answered, "nothing is answered: the test shows nothing"


@pytest.mark.slow
def test_answers_are_those_of_the_steered_query_and_encoded_together(recommender, query, monkeypatch):
    monkeypatch.setattr(reasons, "LEAST_DROP", 1e-4)
    index = recommender.opened("films", recommender.models["Pair"]).index
    request = Request(query, k=5, variant="Pair", why=True, weights={"plot": 0.5}, sounds=(index.vectors[1],))
    calls, real = [], QueryEncoder.encode_without
    monkeypatch.setattr(QueryEncoder, "encode_without", lambda *a: calls.append(len(a[1])) or real(*a))
    tracks = recommender.recommend(request).tracks
    assert calls == [1, 7]
    assert any(track["answers"] for track in tracks)
    for track in tracks:
        for answer in track["answers"]:
            (rest,) = (p.rest for p in passages(query, ("tags", "plot"), "words") if p.text == answer["text"])
            reduced = recommender.recommend(replace(request, query=rest, k=100, why=False)).tracks
            (score,) = (of["score"] for of in reduced if of["row"] == track["row"])
            assert answer["drop"] == pytest.approx(track["score"] - score, abs=1e-5)


@pytest.mark.slow
def test_a_part_of_one_passage_is_left_out_as_a_part(recommender, query, monkeypatch):
    monkeypatch.setattr(reasons, "LEAST_DROP", 1e-6)
    single = replace(query, tags="war", plot="A dog runs .")
    for track in recommender.recommend(Request(single, k=5, variant="Pair", why=True)).tracks:
        for answer in track["answers"]:
            assert answer["drop"] == pytest.approx(track["score"] - track["without"][answer["part"]]["score"], abs=1e-6)
    alone = recommender.recommend(Request(replace(query, tags="war"), k=1, variant="Words", why=True))
    assert alone.tracks[0]["answers"] == [], "nothing would be left"
    picture = recommender.recommend(Request(query, k=1, variant="Still", why=True))
    assert picture.tracks[0]["answers"] == []
    assert "answers" not in recommender.recommend(Request(query, k=1)).tracks[0]


@pytest.mark.parametrize("share", [None, 0.05, 0.5])
def test_places_are_among_the_tracks_that_pass(share):
    rng = np.random.default_rng(0)
    index = make_index(rng.normal(size=(200, 6)))
    passed = None if share is None else rng.random(200) < share
    among = [row for row in range(200) if passed is None or passed[row]]
    whole, without = index.vectors[3], index.vectors[8]
    tracks = [{"row": row} for row in among[::3]]
    add_places(index, tracks, whole, {"tags": without}, passed)
    for track in tracks:
        for vector, told in ((whole, track), (without, track["without"]["tags"])):
            scores = index.vectors @ vector
            assert told["place"] == 1 + sum(scores[row] > scores[track["row"]] for row in among)
        assert told["score"] == pytest.approx(scores[track["row"]], abs=1e-6)
