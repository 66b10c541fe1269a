"""Which model answers what."""

import json
import shutil

import pytest

from pipeline.apps.recommend.trained import choose, choose_similar, trained_models
from pipeline.core.errors import MissingFileError, ModelError


@pytest.fixture
def models(asked_root):
    return trained_models(asked_root)


def test_models_with_what_they_need_and_how_they_ranked(models):
    assert {name: model.needs for name, model in models.items()} == {
        "Words": ("tags",),
        "Story": ("plot",),
        "Still": ("image",),
        "Text": ("tags", "plot"),
        "Pair": ("tags", "plot"),
        "Whole": ("tags", "plot", "image"),
    }
    assert {name: model.recall for name, model in models.items()} == {
        "Words": 0.3,
        "Story": 0.1,
        "Still": None,
        "Text": 0.2,
        "Pair": 0.25,
        "Whole": 0.15,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("tags",), "Words"),
        (("plot",), "Story"),
        (("image",), "Still"),
        (("tags", "plot"), "Pair"),  # reads as much as Text and ranked better
        (("tags", "plot", "image"), "Whole"),  # reads most, though others ranked better
        (("tags", "image"), "Words"),  # none reads both
        (("plot", "image"), "Story"),
    ],
)
def test_the_model_that_reads_most_of_what_is_given(models, given, expected):
    assert choose(models, given, None)[0].name == expected


def test_a_named_variant_wins_and_need_not_read_all(models):
    model, why = choose(models, ("tags", "plot", "image"), "Words")
    assert (model.name, why) == ("Words", "as asked")


@pytest.mark.parametrize(
    ("given", "variant", "message"),
    [
        (("tags",), "Nope", "variant: found 'Nope', trained are Pair, Still"),
        (("tags",), "Story", r"what is given \(tags\). What each needs: Story: plot"),
        ((), None, r"what is given \(nothing\)"),
    ],
)
def test_what_no_model_can_do_with_is_said(models, given, variant, message):
    with pytest.raises(ModelError, match=message):
        choose(models, given, variant)


def test_similar_tracks_are_found_by_the_published_variant_or_else_the_best(models):
    assert choose_similar(models, None, "Still")[0].name == "Still"
    assert choose_similar(models, None, "Elsewhere")[0].name == "Words"
    assert choose_similar(models, "Whole", "Still")[0].name == "Whole"
    with pytest.raises(ModelError, match="found 'Nope'"):
        choose_similar(models, "Nope", "Still")


def test_a_published_model_alone_is_enough(asked_root, tmp_path):
    shutil.copytree(asked_root / "models/Whole", tmp_path / "models/published")
    assert list(trained_models(tmp_path)) == ["Whole"]
    shutil.copytree(asked_root / "models/Whole", tmp_path / "models/Whole")
    found = trained_models(tmp_path)
    assert [model.folder.name for model in found.values()] == ["Whole"]


def test_no_model_and_a_damaged_one_are_named(tmp_path, asked_root):
    with pytest.raises(MissingFileError, match="holds no trained model: run `dvc repro`"):
        trained_models(tmp_path)
    shutil.copytree(asked_root / "models/Words", tmp_path / "models/Words")
    for content in ("{", json.dumps({"variant": "Words", "inputs": ["smell"]})):
        (tmp_path / "models/Words/config.json").write_text(content)
        with pytest.raises(ModelError, match=r"Words/config\.json cannot be read"):
            trained_models(tmp_path)
