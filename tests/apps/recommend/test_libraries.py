"""The data set's index for each model: the published one or a new one, never that of another model."""

import shutil

import numpy as np
import pytest

import stages.publish
from pipeline.apps.recommend import libraries as library_module
from pipeline.apps.recommend.libraries import FilmLibrary
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.tables import SEGMENTS, read_table, write_table
from pipeline.core.variants import Variant
from pipeline.model.store import load_model, save_model
from tests.apps.recommend.asked_world import CPU
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow


@pytest.fixture
def root(asked_root, tmp_path, monkeypatch):
    """A copy of the root that tests may change, with `Words` published."""
    monkeypatch.setattr(stages.publish, "headline_of", lambda path: {})
    monkeypatch.setattr(stages.publish, "register_published", lambda *arguments: None)
    root = tmp_path / "root"
    shutil.copytree(asked_root, root, ignore=shutil.ignore_patterns(".indexes"))
    stages.publish.main(root, "Words", {"Words": Variant(["tags"])}, "words", MACHINE)
    return root


@pytest.fixture
def made(monkeypatch):
    """The variants for which an index was built."""
    made, real = [], library_module.index_films
    monkeypatch.setattr(library_module, "index_films", lambda *a: made.append(a[2]) or real(*a))
    return made


def index_of(root, variant):
    return FilmLibrary(root, 4, CPU).index(trained_models(root)[variant])


def test_published_index_is_used_and_others_are_built_once(root, made):
    words = index_of(root, "Words")
    assert made == []
    for _ in range(2):
        story = index_of(root, "Story")
        assert story.about["variant"] == "Story"
    assert made == ["Story"]
    assert story.tracks.equals(words.tracks), "a track has one row in all indexes"
    assert not np.allclose(story.vectors, words.vectors)


def test_what_has_changed_is_indexed_again(root, made):
    index_of(root, "Story")
    model, config = load_model(root / "models/Story")
    for parameter in model.parameters():
        parameter.data.mul_(1.5)
    save_model(root / "models/Story", model, config)
    index_of(root, "Story")
    path = root / "data/segments.parquet"
    rows = read_table(path, SEGMENTS, "segment")
    rows[0]["title"] = "Overture"
    write_table(path, rows, SEGMENTS)
    assert index_of(root, "Words").rows([0])[0]["title"] == "Overture"
    assert made == ["Story", "Story", "Words"]


def test_a_damaged_index_is_rebuilt(root, made):
    (root / "models/.indexes").mkdir()
    (root / "models/.indexes/Story.parquet").write_bytes(b"no table")
    assert len(index_of(root, "Story")) == len(index_of(root, "Words"))
    assert made == ["Story"]


def test_published_folder_alone_is_enough(root, tmp_path):
    shutil.copytree(root / "models/published", tmp_path / "alone/models/published")
    index = index_of(tmp_path / "alone", "Words")
    assert len(index) == 16
    with pytest.raises(KeyError):
        index_of(tmp_path / "alone", "Story")


def test_a_published_index_of_another_model_is_refused(root, tmp_path):
    alone = tmp_path / "alone/models/published"
    shutil.copytree(root / "models/published", alone)
    shutil.copy(root / "models/Story/model.safetensors", alone)
    with pytest.raises(ModelError, match=r"tracks\.parquet was made with other weights .* than M-Words has now"):
        index_of(tmp_path / "alone", "Words")


def test_what_is_missing_is_named(root):
    (root / "data/segments.parquet").unlink()
    with pytest.raises(MissingFileError, match=r"segments\.parquet is missing: run `dvc repro`"):
        index_of(root, "Story")
