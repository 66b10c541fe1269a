"""Weights of a query's parts, and tracks to find more or less like, against their formulas."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.apps.recommend.query import WHOLE, Encoders, Query, QueryEncoder
from pipeline.apps.recommend.recommender import Request
from pipeline.apps.recommend.steering import LESS, mixed, mixture, steered
from pipeline.core.errors import ModelError
from pipeline.core.tables import DATASET, read_table
from pipeline.model.store import load_model
from tests.apps.recommend.asked_world import CPU

PARTS = ("tags", "plot", "image")


def parts(*names: str) -> frozenset[str]:
    return frozenset(names)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("weights", "without", "expected"),
    [
        ({}, WHOLE, {WHOLE: 1}),
        ({"tags": 1.0, "plot": 1.0}, WHOLE, {WHOLE: 1}),
        ({"tags": 0.0}, WHOLE, {parts("tags"): 1}),
        ({"tags": 0.5}, WHOLE, {WHOLE: 0.5, parts("tags"): 0.5}),
        ({"tags": 2.0, "image": 0.25}, WHOLE, {WHOLE: 1.25, parts("tags"): -1, parts("image"): 0.75}),
        ({"tags": 0.0, "image": 1.5}, WHOLE, {parts("tags"): 1.5, parts("tags", "image"): -0.5}),
        ({"tags": 0.0, "plot": 0.0, "image": 2.0}, WHOLE, {parts("tags", "plot"): 1}),
        ({"tags": 0.5}, parts("tags"), {parts("tags"): 1}),
        ({"tags": 0.5, "plot": 0.0}, parts("image"), {parts("plot", "image"): 1}),
    ],
)
def test_terms_of_a_weighted_query(weights, without, expected):
    assert mixture(PARTS, weights, without) == expected


def test_a_sum_has_unit_length_and_a_single_query_is_as_it_was():
    rng = np.random.default_rng(0)
    vectors = {key: rng.normal(size=(2, 4)).astype(np.float32) for key in (WHOLE, parts("tags"))}
    assert mixed(vectors, {WHOLE: 1.0}) is vectors[WHOLE]
    found = mixed(vectors, {WHOLE: 1.5, parts("tags"): -0.5})
    assert found.dtype == np.float32
    expected = [unit(1.5 * vectors[WHOLE][row] - 0.5 * vectors[parts("tags")][row]) for row in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_tracks_move_a_query_towards_them_and_away():
    query, *tracks = np.eye(5, dtype=np.float32)
    np.testing.assert_array_equal(steered(query, [], []), query)
    found = steered(query, tracks[:2], tracks[2:])
    expected = query + unit(tracks[0] + tracks[1]) - LESS * unit(tracks[2] + tracks[3])
    np.testing.assert_allclose(found, unit(expected), atol=1e-6)
    with pytest.raises(ModelError, match="the parts of the query cancel out"):
        steered(query, [-query], [])


@pytest.fixture
def query(asked_root: Path) -> Query:
    row = read_table(asked_root / "data/dataset.parquet", DATASET, "split")[0]
    return Query(None, row["tags"], row["plot"], asked_root / row["image"])


def scores(recommender, request: Request) -> dict[int, float]:
    return {track["row"]: track["score"] for track in recommender.recommend(replace(request, k=100)).tracks}


def of_vector(recommender, variant: str, vector: np.ndarray) -> dict[int, float]:
    index = recommender.opened("films", recommender.models[variant]).index
    return dict(enumerate((index.vectors @ vector).tolist()))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["Whole", "Text"])
def test_weights_lie_between_the_query_and_the_query_without_the_part(recommender, asked_root, query, variant):
    encoder = QueryEncoder(*load_model(asked_root / "models" / variant), Encoders(CPU))
    left_out = [WHOLE, *(parts(name) for name in encoder.needs), parts(*encoder.needs[1:])]
    vectors = dict(zip(left_out, encoder.encode_without([query], left_out)[:, 0], strict=True))
    request = Request(query, k=100, variant=variant)
    today = scores(recommender, request)
    assert scores(recommender, replace(request, weights=dict.fromkeys(PARTS, 1.0))) == today
    for part in encoder.needs:
        whole, without = vectors[WHOLE], vectors[parts(part)]
        for weight in (0.0, 0.5, 2.0):
            expected = without if weight == 0 else unit(whole + (weight - 1) * (whole - without))
            found = scores(recommender, replace(request, weights={part: weight}))
            assert found == pytest.approx(of_vector(recommender, variant, expected), abs=1e-5)
        assert found != pytest.approx(today, abs=1e-5), "the part counts for nothing: the test shows nothing"
    zeros = dict.fromkeys(encoder.needs[1:], 0.0)
    alone = of_vector(recommender, variant, vectors[parts(*encoder.needs[1:])])
    assert scores(recommender, replace(request, weights=zeros)) == pytest.approx(alone, abs=1e-5)


@pytest.mark.slow
def test_reasons_leave_parts_out_of_the_weighted_query(recommender, query):
    request = Request(query, k=3, variant="Whole", why=True, weights={"tags": 0.0, "image": 0.5})
    found = recommender.recommend(request).tracks[0]
    assert list(found["without"]) == ["plot", "image"]
    without = scores(recommender, replace(request, why=False, weights={"tags": 0.0, "image": 0.0}))
    assert found["without"]["image"]["score"] == pytest.approx(without[found["row"]], abs=1e-5)


@pytest.mark.slow
def test_less_like_a_track_and_like_this_but_sadder(recommender, query):
    index = recommender.opened("films", recommender.models["Words"]).index
    words = Request(Query(None, query.tags, None, None), k=100, variant="Words")
    vector = recommender._vectors(recommender.models["Words"], index, words, ([], []), [WHOLE])[0]
    less = scores(recommender, replace(words, less=(3, 5)))
    away = of_vector(recommender, "Words", unit(vector - LESS * unit(index.vectors[3] + index.vectors[5])))
    assert less == pytest.approx({row: score for row, score in away.items() if row not in (3, 5)}, abs=1e-5)
    sadder = scores(recommender, replace(words, sounds=(index.vectors[2],), less=(3,)))
    between = of_vector(recommender, "Words", unit(vector + index.vectors[2] - LESS * index.vectors[3]))
    assert sadder == pytest.approx({row: score for row, score in between.items() if row != 3}, abs=1e-5)
    alike = scores(recommender, replace(words, like=(2,), less=(3,)))
    assert alike == pytest.approx({row: score for row, score in sadder.items() if row != 2}, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"weights": {"tags": 2.5}},
            "weights: found tags=2.5, allowed are tags, plot, image with a weight from 0 to 2|weights: found tags",
        ),
        ({"weights": {"tags": float("nan")}}, "weights: found tags=nan"),
        ({"weights": {"smell": 1.0}}, "weights: found smell=1"),
        ({"weights": dict.fromkeys(PARTS, 0.0)}, "weights: found 0 for .*, all parts of the query"),
        ({"less": (-1,)}, "less: found row -1"),
        ({"query": Query(None, "", None, None), "less": (1,)}, "the query is empty.*`less` only works together"),
    ],
)
def test_invalid_steering_is_explained(recommender, query, changes, message):
    with pytest.raises(ModelError, match=message):
        recommender.recommend(replace(Request(query, k=3), **changes))
