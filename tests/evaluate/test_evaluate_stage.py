"""The stage on a small data set: what it writes, that it repeats, and what it says about bad input."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import stages.evaluate
from pipeline.errors import MissingFileError, ModelError, StageError
from pipeline.evaluate.rankings import read_rankings
from pipeline.evaluate.run import digest_of, metrics_of, ranking_rows
from pipeline.model.embed import embed_films, embed_tracks
from pipeline.model.store import load_model, save_model
from pipeline.store.films import films_of, open_store
from pipeline.tables import DATASET, write_table
from tests.evaluate.small_world import EVALUATE, World

CPU = torch.device("cpu")
AVERAGES = [
    *(f"hit_rate_at_{k}" for k in EVALUATE.ks),
    *(f"recall_at_{k}" for k in EVALUATE.ks),
    *("mrr", "map", "ndcg_at_10", "ndcg", "median_rank", "mean_rank"),
]


@pytest.fixture
def logged(monkeypatch):
    """What the stage sends to MLflow, instead of sending it."""
    calls = []
    monkeypatch.setattr(stages.evaluate, "log_evaluation", lambda *arguments: calls.append(arguments))
    return calls


@pytest.fixture
def evaluate(logged):
    def run(world: World) -> dict:
        stages.evaluate.main(world.root, world.variant, world.inputs, EVALUATE, "cpu")
        return json.loads((world.root / f"metrics/evaluate/{world.variant}.json").read_text(encoding="utf-8"))

    return run


def test_metrics_file_has_the_figures_of_every_film_against_every_track_of_the_eval_side(world, evaluate, logged):
    metrics = evaluate(world)
    assert list(metrics) == [
        "variant",
        "queries",
        "candidates",
        *AVERAGES,
        "ci95",
        "chance",
        "reference",
        "dataset",
        "model",
    ]
    assert (metrics["variant"], metrics["queries"], metrics["candidates"]) == (world.variant, 5, 11)
    assert list(metrics["ci95"]) == list(metrics["chance"]) == AVERAGES
    assert set(metrics["reference"]) == {
        *(f"recall_at_{k}" for k in EVALUATE.ks),
        "mrr",
        "ndcg",
        "median_rank",
        "mean_rank",
    }
    assert metrics["recall_at_100"] == metrics["hit_rate_at_100"] == metrics["chance"]["recall_at_100"] == 1
    for name in AVERAGES:
        low, high = metrics["ci95"][name]
        assert low <= metrics[name] <= high
    assert logged == [(world.root, world.root / "models" / world.variant, metrics)]


def test_rankings_are_those_of_the_cosines(world, evaluate):
    metrics = evaluate(world)
    model, config = load_model(world.root / "models" / world.variant)
    store = open_store(world.root / "data/features", world.inputs)
    rows = [row for row in world.rows if row["side"] == "eval"]
    films = films_of(rows, store)
    scores = embed_films(model, store, films, config, 4, CPU) @ embed_tracks(model, store, films, config, 4, CPU).T
    table = read_rankings(world.root / f"metrics/rankings/{world.variant}.parquet")
    assert table["fid"].tolist() == [film.fid for film in films]
    for of_film, found in zip(scores, table.itertuples(), strict=True):
        order = sorted(range(11), key=lambda i: -of_film[i])
        assert found.top_paths.tolist() == [rows[i]["path"] for i in order]
        np.testing.assert_allclose(found.top_scores, of_film[order], atol=1e-6)
        ranks = [place for place, i in enumerate(order, 1) if rows[i]["fid"] == found.fid]
        assert found.ranks.tolist() == ranks
        assert (found.relevant, found.candidates, found.best_rank) == (len(ranks), 11, ranks[0])
        assert found.mrr == 1 / ranks[0]
    for name in AVERAGES[:-2]:
        assert table[name].mean() == pytest.approx(metrics[name], abs=1e-12)
    assert (table["best_rank"].median(), table["best_rank"].mean()) == (metrics["median_rank"], metrics["mean_rank"])
    pooled = np.concatenate(table["ranks"].tolist())
    assert metrics["reference"]["mean_rank"] == pooled.mean()


def test_evaluating_twice_gives_the_same_bytes(world, evaluate):
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (world.root / "metrics").rglob("*.*")}

    evaluate(world)
    first = files()
    assert set(first) == {f"{world.variant}.json", f"{world.variant}.parquet"}
    evaluate(world)
    assert files() == first


def test_perfect_and_random_embeddings(world):
    store = open_store(world.root / "data/features", world.inputs)
    films = films_of([row for row in world.rows if row["side"] == "eval"], store)
    of_film = np.eye(5, dtype=np.float32)
    perfect = metrics_of(ranking_rows(films, of_film, np.repeat(of_film, [1, 3, 2, 4, 1], axis=0), EVALUATE), EVALUATE)
    ones = {"hit_rate_at_1", "hit_rate_at_5", "recall_at_5", "mrr", "map", "ndcg", "median_rank", "mean_rank"}
    assert {name: perfect[name] for name in ones} == dict.fromkeys(ones, 1.0)
    assert perfect["recall_at_1"] == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 4 + 1) / 5)
    assert perfect["reference"]["recall_at_1"] == 5 / 11


def test_the_digest_follows_the_data_set(world):
    digest = digest_of(world.rows)
    assert digest == digest_of([dict(row) for row in world.rows])
    for name, value in {"sha256": "other", "plot": "other", "fid": "ZZZ"}.items():
        assert digest_of([world.rows[0] | {name: value}, *world.rows[1:]]) != digest


def test_no_film_to_evaluate_on(world, evaluate):
    write_table(world.root / "data/dataset.parquet", [row for row in world.rows if row["side"] != "eval"], DATASET)
    with pytest.raises(StageError, match=r"split\.eval: the eval side has no film"):
        evaluate(world)
    assert not (world.root / "metrics").exists()


def test_one_film_with_one_track(world, evaluate):
    write_table(world.root / "data/dataset.parquet", [row for row in world.rows if row["fid"] == "AAD"], DATASET)
    metrics = evaluate(world)
    assert (metrics["queries"], metrics["candidates"]) == (1, 1)
    assert {metrics[name] for name in AVERAGES} == {metrics["chance"][name] for name in AVERAGES} == {1.0}


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("data/dataset.parquet", "split"),
        ("data/features/audio.parquet", "features@audio"),
        ("data/features/text.parquet", "features@text"),
        ("models/ImPlo/model.safetensors", "train@ImPlo"),
        ("models/ImPlo/config.json", "train@ImPlo"),
    ],
)
def test_a_missing_file_is_named_with_what_to_run(world, evaluate, path, advice):
    (world.root / path).unlink()
    with pytest.raises(MissingFileError, match=rf"{path} is missing: run `dvc repro {advice}`"):
        evaluate(world)


def test_a_track_without_features_is_named(world, evaluate):
    more = world.rows[-1] | {"number": 7, "path": "data/audio/A/A/H/7.mp3"}
    write_table(world.root / "data/dataset.parquet", [*world.rows, more], DATASET)
    with pytest.raises(MissingFileError, match=r"no row for \('AAH', 7\)"):
        evaluate(world)


def test_a_model_of_other_features_is_refused(world, evaluate):
    folder = world.root / "models" / world.variant
    model, config = load_model(folder)
    config["features"]["image"]["encoder"] = "another"
    save_model(folder, model, config)
    with pytest.raises(ModelError, match=r"models/ImPlo was trained on image features .*another"):
        evaluate(world)


def test_a_model_of_other_inputs_than_the_variant_now_has_is_refused(world, evaluate):
    with pytest.raises(
        ModelError, match=r"models/ImPlo holds a model of plot, image .*but variants\.ImPlo is plot: run"
    ):
        evaluate(replace(world, inputs=["plot"]))


def test_a_model_that_gives_no_numbers_leaves_no_metrics(world, evaluate):
    folder = world.root / "models" / world.variant
    model, config = load_model(folder)
    model.audio_head[0].bias.data.fill_(math.nan)
    save_model(folder, model, config)
    with pytest.raises(ModelError, match=r"train\.learning_rate"):
        evaluate(world)
    assert not (world.root / "metrics").exists()


def test_rankings_that_cannot_be_read_name_the_stage(world, evaluate):
    path = world.root / "metrics/rankings/ImPlo.parquet"
    for content, problem in ((None, "is missing"), (b"text", "cannot be read")):
        if content:
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        with pytest.raises(MissingFileError, match=rf"ImPlo\.parquet {problem}.*dvc repro evaluate@ImPlo"):
            read_rankings(path)
    write_table(path, world.rows, DATASET)
    with pytest.raises(MissingFileError, match="is not a table of rankings"):
        read_rankings(path)
