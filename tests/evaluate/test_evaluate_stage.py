"""The stage on a small data set: outputs, reproducibility, and messages about bad input."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import stages.evaluate
from pipeline.core.errors import MissingFileError, ModelError, StageError
from pipeline.core.tables import DATASET, write_table
from pipeline.core.variants import Variant
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.evaluation import digest_of, measure
from pipeline.evaluate.metrics import BEST_RANK
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.rankings import read_rankings
from pipeline.model.embed import embed_films, embed_paragraphs, embed_tracks, queries_of, tracks_of
from pipeline.model.store import load_model, save_model
from pipeline.store.films import films_of, open_store
from tests.evaluate.small_world import BASELINES, EVALUATE, World, make_world
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
AVERAGES = [
    *(f"hit_rate_at_{k}" for k in EVALUATE.ks),
    *(f"recall_at_{k}" for k in EVALUATE.ks),
    *("mrr", "map", "ndcg_at_10", "ndcg", "median_rank", "mean_rank"),
]


@pytest.fixture
def logged(monkeypatch):
    """The data that the stage would send to MLflow."""
    calls = []
    monkeypatch.setattr(stages.evaluate, "log_evaluation", lambda *arguments: calls.append(arguments))
    return calls


@pytest.fixture
def evaluate(logged):
    def run(world: World) -> dict:
        stages.evaluate.main(
            world.root, world.variant, {world.variant: Variant(world.inputs)}, EVALUATE, BASELINES, MACHINE
        )
        return json.loads((world.root / f"metrics/evaluate/{world.variant}.json").read_text(encoding="utf-8"))

    return run


def test_metrics_file_has_figures_of_the_whole_test_set(world, evaluate, logged):
    metrics = evaluate(world)
    assert list(metrics) == [
        "variant",
        "pool",
        "paragraphs",
        "unit",
        "queries",
        "candidates",
        *AVERAGES,
        "ci95",
        "chance",
        "ceiling",
        "segments",
        "recordings",
        "reference",
        "music_to_film",
        "hubness",
        "slices",
        "dataset",
        "baselines",
        "model",
    ]
    assert list(metrics["baselines"]) == BASELINES
    for figures in metrics["baselines"].values():
        assert list(figures) == [*AVERAGES, "ci95", "difference"]
        assert list(figures["ci95"]) == AVERAGES
        low, mean, high = figures["difference"]
        assert low <= mean <= high
        assert mean == pytest.approx(metrics["mrr"] - figures["mrr"]), "without recall at 10"
    assert (metrics["variant"], metrics["queries"], metrics["candidates"]) == (world.variant, 5, 11)
    assert list(metrics["ci95"]) == list(metrics["chance"]) == list(metrics["ceiling"]) == AVERAGES
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
    rows = [row for row in world.rows if row["split"] == "eval"]
    films = films_of(rows, store)
    scores = (
        embed_films(model, queries_of(films, store), config, 4, CPU)
        @ embed_tracks(model, tracks_of(films, store), config, 4, CPU).T
    )
    table = read_rankings(world.root / f"metrics/rankings/{world.variant}.parquet")
    assert table["fid"].tolist() == [film.fid for film in films]
    for of_film, found in zip(scores, table.itertuples(), strict=True):
        order = sorted(range(11), key=lambda i: -of_film[i])
        assert found.top_paths.tolist() == [rows[i]["path"] for i in order]
        np.testing.assert_allclose(found.top_scores, of_film[order], atol=1e-6)
        ranks = [place for place, i in enumerate(order, 1) if rows[i]["fid"] == found.fid]
        assert found.ranks.tolist() == ranks
        assert (found.relevant, found.candidates, found.best_rank) == (len(ranks), 11, ranks[0])
        assert found.mrr == pytest.approx(1 / ranks[0], abs=1e-12)
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


def films_in(world: World, splits: tuple[str, ...] = ("eval",)) -> list:
    store = open_store(world.root / "data/features", world.inputs)
    return films_of([row for row in world.rows if row["split"] in splits], store)


def test_perfect_and_random_embeddings(world):
    of_film = np.eye(5, dtype=np.float32)
    tracks = np.repeat(of_film, [1, 3, 2, 4, 1], axis=0)
    perfect, rankings = measure(films_in(world), one_row_each(of_film), tracks, {}, EVALUATE)
    ones = {"hit_rate_at_1", "hit_rate_at_5", "recall_at_5", "mrr", "map", "ndcg", "median_rank", "mean_rank"}
    assert {name: perfect[name] for name in ones} == pytest.approx(dict.fromkeys(ones, 1.0))
    assert perfect["recall_at_1"] == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 4 + 1) / 5)
    assert perfect["reference"]["recall_at_1"] == pytest.approx(5 / 11)
    assert rankings[1]["ranks"].tolist() == [2.0, 2.0, 2.0]
    assert perfect["music_to_film"]["hit_rate_at_1"] == 1


def test_the_other_direction_ranks_films_for_every_track(world, evaluate):
    found = evaluate(world)["music_to_film"]
    model, config = load_model(world.root / "models" / world.variant)
    films = films_in(world)
    store = open_store(world.root / "data/features", world.inputs)
    scores = (
        embed_tracks(model, tracks_of(films, store), config, 4, CPU)
        @ embed_films(model, queries_of(films, store), config, 4, CPU).T
    )
    owners = np.repeat(np.arange(5), [len(film.tracks) for film in films])
    ranks = np.array([1 + (row > row[own]).sum() for row, own in zip(scores, owners, strict=True)])
    assert (found["queries"], found["candidates"]) == (11, 5)
    assert found["mrr"] == pytest.approx(np.mean(1 / ranks), abs=1e-9)
    assert found["hit_rate_at_1"] == pytest.approx(np.mean(ranks == 1))
    assert (found["median_rank"], found["mean_rank"]) == (np.median(ranks), pytest.approx(ranks.mean()))
    assert found["chance"]["hit_rate_at_1"] == pytest.approx(1 / 5)
    assert found["chance"]["mean_rank"] == pytest.approx(3)
    assert [name for name in found if "recall" in name or name == "map"] == []
    assert list(found["ci95"]) == list(found["chance"])
    columns = {"mrr": 1 / ranks, BEST_RANK: ranks.astype(float)}
    over_films = confidence_intervals(columns, EVALUATE.bootstrap_samples, EVALUATE.seed, owners)
    assert found["ci95"]["mrr"] == pytest.approx(over_films["mrr"])
    assert found["ci95"]["median_rank"] == over_films["median_rank"]


def test_candidates_may_be_the_tracks_of_all_sets(world, evaluate):
    small = evaluate(world)
    stages.evaluate.main(
        world.root, world.variant, {world.variant: Variant(world.inputs)}, replace(EVALUATE, pool="all"), [], MACHINE
    )
    metrics = json.loads((world.root / f"metrics/evaluate/{world.variant}.json").read_text(encoding="utf-8"))
    assert (metrics["pool"], metrics["queries"], metrics["candidates"]) == ("all", 5, len(world.rows))
    assert metrics["chance"]["mrr"] < small["chance"]["mrr"]
    assert metrics["mean_rank"] >= small["mean_rank"]
    assert metrics["dataset"] != small["dataset"]
    assert metrics["music_to_film"]["queries"] == 11
    assert metrics["music_to_film"]["candidates"] == len({row["fid"] for row in world.rows})
    table = read_rankings(world.root / f"metrics/rankings/{world.variant}.parquet")
    assert {path for paths in table["top_paths"] for path in paths} == {row["path"] for row in world.rows}


def test_paragraphs_are_combined_as_the_parameter_says(world, evaluate):
    """A film is the mean of its paragraphs, the first one, or the best one for each track."""
    model, config = load_model(world.root / "models" / world.variant)
    store = open_store(world.root / "data/features", world.inputs)
    films = films_in(world)
    tracks = embed_tracks(model, tracks_of(films, store), config, 4, CPU)
    rows, starts = embed_paragraphs(model, queries_of(films, store), config, 4, CPU)
    assert np.diff(starts, append=len(rows)).tolist() == [1, 2, 3, 1, 2]
    means = embed_films(model, queries_of(films, store), config, 4, CPU)
    expected = {
        "mean": means @ tracks.T,
        "first": rows[starts] @ tracks.T,
        "best": np.maximum.reduceat(rows @ tracks.T, starts, axis=0),
    }
    for name, scores in expected.items():
        stages.evaluate.main(
            world.root,
            world.variant,
            {world.variant: Variant(world.inputs)},
            replace(EVALUATE, paragraphs=name),
            [],
            MACHINE,
        )
        table = read_rankings(world.root / f"metrics/rankings/{world.variant}.parquet")
        for of_film, row in zip(scores, table["top_scores"], strict=True):
            np.testing.assert_allclose(row, np.sort(of_film)[::-1], atol=1e-6)


def test_slices_average_the_films_of_each_group(world, evaluate):
    metrics = evaluate(world)
    table = read_rankings(world.root / f"metrics/rankings/{world.variant}.parquet")
    slices = metrics["slices"]
    assert {
        name: {value: (of["films"], of["tracks"]) for value, of in values.items()} for name, values in slices.items()
    } == {
        "decade": {"1950s": (4, 10), "not stated": (1, 1)},
        "language": {"not stated": (5, 11)},
        "genre": {"tag": (5, 11)},
        "files": {"1": (2, 2), "2–4": (3, 9)},
        "missing": {"nothing": (4, 10), "plot": (1, 1)},
    }
    few = table[table["relevant"] == 1]
    found = slices["files"]["1"]
    assert found["mrr"] == pytest.approx(few["mrr"].mean())
    assert found["median_rank"] == few["best_rank"].median()
    assert found["chance"]["recall_at_5"] == pytest.approx(5 / 11)
    assert found["ci95"]["mrr"][0] <= found["mrr"] <= found["ci95"]["mrr"][1]
    assert slices["missing"]["plot"]["ci95"] == {}, "one film says nothing about others"
    assert slices["genre"]["tag"] == {"films": 5, "tracks": 11} | {
        n: metrics[n] for n in (*AVERAGES, "ci95", "chance", "ceiling")
    }


def test_the_digest_follows_the_data_set(world):
    digest = digest_of(world.rows)
    assert digest == digest_of([dict(row) for row in world.rows])
    for number, row in enumerate(world.rows):
        for name in row:
            assert digest_of([*world.rows[:number], row | {name: "other"}, *world.rows[number + 1 :]]) != digest
    assert digest_of(world.rows[::-1]) != digest


def test_no_film_to_evaluate(world, evaluate):
    write_table(world.root / "data/dataset.parquet", [row for row in world.rows if row["split"] != "eval"], DATASET)
    with pytest.raises(StageError, match=r"split\.eval: found 0 test films"):
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
        ("data/films.parquet", "parse"),
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


def test_a_model_of_other_inputs_than_the_variants_is_refused(world, evaluate):
    with pytest.raises(
        ModelError, match=r"models/ImPlo holds a model of plot, image .*but variants\.ImPlo is plot: run"
    ):
        evaluate(replace(world, inputs=["plot"]))


def test_a_model_that_gives_nan_leaves_no_metrics(world, evaluate):
    folder = world.root / "models" / world.variant
    model, config = load_model(folder)
    model.audio_tower.head[0].bias.data.fill_(math.nan)
    save_model(folder, model, config)
    with pytest.raises(ModelError, match=r"train\.learning_rate"):
        evaluate(world)
    assert not (world.root / "metrics").exists()


def test_unreadable_rankings_name_the_stage(world, evaluate):
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


def test_a_model_that_answers_subsets_has_the_figures_of_each(tmp_path, evaluate):
    world = make_world(tmp_path, "Every", ("tags", "plot", "image"), drop_inputs=0.5)
    metrics = evaluate(world)
    names = [figures["inputs"] for figures in metrics["subsets"]]
    assert names == [
        ["tags"],
        ["plot"],
        ["image"],
        ["tags", "plot"],
        ["tags", "image"],
        ["plot", "image"],
        ["tags", "plot", "image"],
    ]
    for name in AVERAGES:
        assert metrics["subsets"][-1][name] == metrics[name]
        assert metrics["subsets"][-1]["ci95"][name] == metrics["ci95"][name]
    model, config = load_model(world.root / "models/Every")
    store = open_store(world.root / "data/features", config["inputs"])
    films = films_of([row for row in world.rows if row["split"] == "eval"], store)
    queries = embed_films(model, queries_of(films, store), config, 4, CPU, without=["plot"])
    tracks = embed_tracks(model, tracks_of(films, store), config, 4, CPU)
    expected, _ = measure(films, one_row_each(queries), tracks, {}, EVALUATE)
    assert {name: metrics["subsets"][4][name] for name in AVERAGES} == {name: expected[name] for name in AVERAGES}
    assert metrics["subsets"][4]["mean_rank"] != metrics["mean_rank"]
    assert "subsets" not in evaluate(make_world(tmp_path, "Whole", ("tags", "plot", "image")))


def test_films_that_only_this_variant_reads_are_measured_separately(tmp_path, logged):
    world = make_world(tmp_path, "Plo", ("plot",))
    lacking = [row | ({"image": "", "compared": False} if row["fid"] in ("AAD", "AAB") else {}) for row in world.rows]
    write_table(tmp_path / "data/dataset.parquet", lacking, DATASET)

    def run():
        stages.evaluate.main(tmp_path, "Plo", {"Plo": Variant(["plot"])}, EVALUATE, BASELINES, MACHINE)
        return json.loads((tmp_path / "metrics/evaluate/Plo.json").read_text(encoding="utf-8"))

    metrics = run()
    assert (metrics["queries"], metrics["readable"]["queries"]) == (4, 5)
    assert len(read_rankings(tmp_path / "metrics/rankings/Plo.parquet")) == 4
    write_table(tmp_path / "data/dataset.parquet", world.rows, DATASET)
    whole = run()
    assert "readable" not in whole
    assert metrics["candidates"] == whole["candidates"]
    for name in AVERAGES:
        assert metrics["readable"][name] == pytest.approx(whole[name]), "the same films ask, the same tracks are ranked"


def test_a_model_that_answers_subsets_reads_films_that_lack_an_input(tmp_path, logged):
    world = make_world(tmp_path, "Any", ("plot", "image"), drop_inputs=0.5)
    lacking = [row | ({"image": "", "compared": False} if row["fid"] == "AAD" else {}) for row in world.rows]
    write_table(tmp_path / "data/dataset.parquet", lacking, DATASET)
    variants = {"Any": Variant(["plot", "image"], drop_inputs=0.5)}
    stages.evaluate.main(tmp_path, "Any", variants, EVALUATE, BASELINES, MACHINE)
    metrics = json.loads((tmp_path / "metrics/evaluate/Any.json").read_text(encoding="utf-8"))
    assert (metrics["queries"], metrics["readable"]["queries"]) == (4, 5)
    assert [(subset["inputs"], subset["queries"]) for subset in metrics["subsets"]] == [
        (["plot"], 4), (["image"], 4), (["plot", "image"], 4),
    ]  # fmt: skip
