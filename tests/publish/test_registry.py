"""Published models in MLflow's registry: one version per model, and an alias for the published one."""

import base64
import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas
import pytest

import stages.publish
from pipeline.apps.recommend.index import open_index
from pipeline.apps.recommend.query import Encoders, QueryEncoder
from pipeline.core.files import sha256_of
from pipeline.core.variants import Variant
from pipeline.model.store import load_model
from pipeline.publish.registry import register_published
from pipeline.store.inputs import film_rows
from pipeline.tracking.store import tracking_uri
from pipeline.tracking.training import training_run
from tests.apps.recommend.asked_world import CPU, make_asked_world
from tests.apps.recommend.test_query import as_queries
from tests.small_machine import MACHINE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]
HEADLINE = {"variant": "Im", "queries": 3, "recall_at_10": 0.25, "mrr": 0.5}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The folder of a published model, with files that cannot be loaded."""
    folder = tmp_path / "models/published"
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "tracks.parquet"):
        (folder / name).write_text(name)
    return folder


def client_of(root: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(root))


def current(root: Path):
    return client_of(root).get_model_version_by_alias("soundtrack-retrieval", "published")


def numbers(root: Path) -> list[str]:
    return sorted(str(v.version) for v in client_of(root).search_model_versions("name = 'soundtrack-retrieval'"))


def test_version_belongs_to_the_training_run_and_has_a_description(tmp_path, published, params):
    with training_run(tmp_path, "Im", asdict(params), "d1") as run:
        run.log_model(published)  # the same weights
    register_published(tmp_path, published, HEADLINE)
    version = current(tmp_path)
    assert version.run_id == run.run_id
    expected = {"variant": "Im", "dataset.digest": "d1", "recall_at_10": "0.2500", "mrr": "0.5000"}
    assert {name: version.tags[name] for name in expected} == expected
    assert version.tags["model.digest"] == sha256_of(published / "model.safetensors")
    outputs = client_of(tmp_path).get_run(run.run_id).outputs.model_outputs
    assert {client_of(tmp_path).get_logged_model(output.model_id).name for output in outputs} == {"Im", "published"}


def test_same_model_is_one_version_and_another_takes_the_alias(tmp_path, published):
    for _ in range(2):
        register_published(tmp_path, published, HEADLINE)
    assert (str(current(tmp_path).version), numbers(tmp_path)) == ("1", ["1"])
    (published / "tracks.parquet").write_text("more tracks")
    register_published(tmp_path, published, HEADLINE)
    assert (str(current(tmp_path).version), numbers(tmp_path)) == ("2", ["1", "2"])
    (published / "tracks.parquet").write_text("tracks.parquet")
    register_published(tmp_path, published, HEADLINE)
    assert (str(current(tmp_path).version), numbers(tmp_path)) == ("1", ["1", "2"]), "going back makes no third"


def test_model_without_a_run_is_registered_with_a_warning(tmp_path, published, caplog):
    with caplog.at_level(logging.WARNING):
        register_published(tmp_path, published, HEADLINE)
    assert "no run trained the published model" in caplog.text
    assert not current(tmp_path).run_id


def test_copy_of_the_repository_registers_nothing(tmp_path, published, monkeypatch):
    main = tmp_path / "main"
    main.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(main))
    register_published(tmp_path, published, HEADLINE)
    assert list(main.iterdir()) == []


def test_failing_store_only_warns(tmp_path, published, caplog):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 100)
    with caplog.at_level(logging.WARNING):
        register_published(tmp_path, published, HEADLINE)
    assert "register_published failed" in caplog.text


@pytest.mark.usefixtures("path_of_imports")
def test_published_model_answers_with_the_tracks_of_its_index(tmp_path, params, tiny_bert, tiny_vit, monkeypatch):
    import mlflow

    world = make_asked_world(tmp_path, params, ["tags_plot", "image"], tiny_bert, tiny_vit)
    monkeypatch.setattr(stages.publish, "headline_of", lambda path: HEADLINE)
    stages.publish.main(tmp_path, world.variant, {world.variant: Variant(world.inputs)}, "words", MACHINE)
    mlflow.set_tracking_uri(tracking_uri(tmp_path))
    try:
        served = mlflow.pyfunc.load_model("models:/soundtrack-retrieval@published")
    finally:
        mlflow.set_tracking_uri(None)
    films = film_rows(world.rows)[:4]  # the year of one of them is unknown
    asked = pandas.DataFrame(
        [
            {name: film[name] for name in ("title", "tags", "plot")}
            | {"image": base64.b64encode((tmp_path / film["image"]).read_bytes()).decode()}
            for film in films
        ]
    )
    answer = served.predict(asked, params={"k": 16})
    folder = tmp_path / "models/published"
    index, vectors = (
        open_index(folder / "tracks.parquet", ""),
        QueryEncoder(*load_model(folder), Encoders(CPU)).encode(as_queries(world)[:4]),
    )
    rows, scores = index.nearest(vectors, 16)
    tracks = {row["path"]: row for row in world.rows}
    assert answer["query"].tolist() == np.repeat(range(4), 16).tolist()
    assert answer["rank"].tolist() == list(range(1, 17)) * 4
    np.testing.assert_allclose(answer["score"], scores.reshape(-1), atol=1e-6)
    assert answer["path"].tolist() == [track["path"] for track in index.rows(rows.reshape(-1))]
    for row in answer.to_dict("records"):
        assert row["film"] == tracks[row["path"]]["title"]
        assert {name: row[name] for name in ("fid", "year", "number", "seconds")} == {
            name: tracks[row["path"]][name] for name in ("fid", "year", "number", "seconds")
        }
    assert len(served.predict(asked[:1])) == 10, "ten where nobody says how many"
    assert list(answer.columns) == served.metadata.get_output_schema().input_names()
    json.dumps(answer.to_dict("records"))
