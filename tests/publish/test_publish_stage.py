"""The published folder is enough to recommend, and its figures are those of the evaluation."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import stages.evaluate
import stages.publish
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.files import sha256_of
from pipeline.core.variants import Variant
from pipeline.evaluate.rankings import read_rankings
from pipeline.model.embed import embed_films, queries_of
from pipeline.model.store import load_model, save_model
from pipeline.store import index as index_module
from pipeline.store.films import films_of, open_store
from pipeline.store.index import read_peaks
from tests.evaluate.small_world import EVALUATE, World, make_world, sound_rows
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow


@pytest.fixture
def evaluated(world, monkeypatch) -> World:
    """The small world after evaluation of its variant."""
    monkeypatch.setattr(stages.evaluate, "log_evaluation", lambda *arguments: None)
    monkeypatch.setattr(stages.publish, "register_published", lambda *arguments: None)
    stages.evaluate.main(world.root, world.variant, {world.variant: Variant(world.inputs)}, EVALUATE, [], MACHINE)
    return world


def publish(world: World) -> None:
    stages.publish.main(world.root, world.variant, {world.variant: Variant(world.inputs)}, "words", MACHINE)


def files(world: World) -> dict[str, bytes]:
    paths = [world.root / "metrics/retrieval.json", *(world.root / "models/published").iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def test_headline_holds_the_main_figures_of_the_evaluation(evaluated):
    publish(evaluated)
    headline = json.loads((evaluated.root / "metrics/retrieval.json").read_text(encoding="utf-8"))
    metrics = json.loads((evaluated.root / "metrics/evaluate/ImPlo.json").read_text(encoding="utf-8"))
    names = ["variant", "pool", "queries", "candidates", "recall_at_5", "mrr", "median_rank"]
    assert headline == {name: metrics[name] for name in names}  # the nearest to 10 of ks 1, 5, 100
    assert list(headline) == names


def test_published_folder_alone_recommends_the_tracks_of_the_evaluation(evaluated):
    publish(evaluated)
    published = evaluated.root / "models/published"
    assert {path.name for path in published.iterdir()} == {"model.safetensors", "config.json", "tracks.parquet"}
    index = pq.read_table(published / "tracks.parquet")
    assert index.schema.field("vector").type == pa.list_(pa.field("element", pa.float32(), nullable=False), 6)
    vectors = index["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 6)
    model, config = load_model(published)
    assert config["tags_rule"] == "words"
    store = open_store(evaluated.root / "data/features", config["inputs"])
    films = films_of([row for row in evaluated.rows if row["split"] == "eval"], store)
    queries = embed_films(model, queries_of(films, store), config, 4, torch.device("cpu"))
    paths, splits = np.array(index["path"].to_pylist()), np.array(index["split"].to_pylist())
    top = read_rankings(evaluated.root / "metrics/rankings/ImPlo.parquet")["top_paths"]
    for query, expected in zip(queries, top, strict=True):
        order = np.argsort(-(vectors @ query), kind="stable")
        assert paths[order][splits[order] == "eval"].tolist() == expected.tolist()


@pytest.mark.parametrize("group_rows", [3, 8192])
def test_index_has_the_tracks_of_all_sets_with_details_for_listeners(evaluated, monkeypatch, group_rows):
    monkeypatch.setattr(index_module, "GROUP_ROWS", group_rows)
    publish(evaluated)
    path = evaluated.root / "models/published/tracks.parquet"
    index = pq.read_table(path)
    names = ["fid", "number", "path", "split", "seconds", "year", "url", "source_url"]
    assert index.select(names).to_pylist() == [{name: row[name] for name in names} for row in evaluated.rows]
    cut = [
        {"film": row["title"], "title": f"Suite {row['fid']}", "start_seconds": 2.0 * row["number"]}
        for row in evaluated.rows
    ]
    assert index.select(["film", "title", "start_seconds"]).to_pylist() == cut
    lengths = dict(zip(index["fid"].to_pylist(), index["recording_seconds"].to_pylist(), strict=True))
    last = evaluated.rows[-1]["fid"]
    assert lengths == {row["fid"]: 60.0 for row in evaluated.rows} | {last: 1.5}, "the last film's is a chapter"
    sounds = sound_rows(evaluated.rows)
    names = ["tempo", "key", "loudness", "peaks"]
    assert index.select(names).to_pylist() == [{name: sound[name] for name in names} for sound in sounds]
    assert read_peaks(path, 1) == sounds[1]["peaks"]
    assert set(index["vocals"].to_pylist()) == {None}, "the spectrogram does not tag"
    assert set(index["file_start_seconds"].to_pylist()) == {0.0}, "a segment is a file of its own"
    about = json.loads(pq.read_metadata(path).metadata[b"soundtrack"])
    assert about["variant"] == "ImPlo"
    assert about["model"] == sha256_of(evaluated.root / "models/published/model.safetensors")


def test_publishing_twice_gives_the_same_bytes(evaluated):
    publish(evaluated)
    first = files(evaluated)
    publish(evaluated)
    assert files(evaluated) == first


def test_another_variant_takes_the_place_of_the_published_one(evaluated):
    publish(evaluated)
    tags = make_world(evaluated.root, "Ta", ("tags",))
    stages.evaluate.main(tags.root, tags.variant, {tags.variant: Variant(tags.inputs)}, EVALUATE, [], MACHINE)
    publish(tags)
    assert json.loads((tags.root / "metrics/retrieval.json").read_text(encoding="utf-8"))["variant"] == "Ta"
    assert load_model(tags.root / "models/published")[1]["inputs"] == ["tags"]


@pytest.mark.parametrize(
    ("path", "advice"), [("metrics/evaluate/ImPlo.json", "evaluate@ImPlo"), ("models/ImPlo/config.json", "train@ImPlo")]
)
def test_a_missing_file_is_named_with_what_to_run(evaluated, path, advice):
    (evaluated.root / path).unlink()
    with pytest.raises(MissingFileError, match=rf"{path} is missing: run `dvc repro {advice}`"):
        publish(evaluated)
    assert not (evaluated.root / "models/published").exists()


@pytest.mark.parametrize("content", ["{", "{}", '{"recall_at_5": 1}', "\0"])
def test_damaged_metrics_are_named(evaluated, content):
    (evaluated.root / "metrics/evaluate/ImPlo.json").write_text(content, encoding="utf-8")
    with pytest.raises(MissingFileError, match=r"ImPlo\.json cannot be read"):
        publish(evaluated)


def test_a_model_of_other_features_is_not_published(evaluated):
    folder = evaluated.root / "models/ImPlo"
    model, config = load_model(folder)
    config["features"]["audio"]["hop_length"] = 11
    save_model(folder, model, config)
    with pytest.raises(ModelError, match="was trained on audio features"):
        publish(evaluated)
    with pytest.raises(ModelError):
        publish(replace(evaluated, inputs=["plot"]))
    assert not (evaluated.root / "models/published").exists()
