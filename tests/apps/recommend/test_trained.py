"""Which model answers which query."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.apps.recommend.trained import (
    AS_ASKED,
    BEST,
    READS_MOST,
    Figures,
    Trained,
    choose,
    choose_similar,
    trained_models,
)
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
    assert {name: model.figures and model.figures.recall for name, model in models.items()} == {
        "Words": 0.3,
        "Story": 0.1,
        "Still": None,
        "Text": 0.2,
        "Pair": 0.25,
        "Whole": 0.35,
    }


MODELS = {
    "Words": (("tags",), 0.3),
    "Story": (("plot",), 0.1),
    "Still": (("image",), None),
    "Pair": (("tags", "plot"), 0.3),
    "Also": (("tags", "plot"), 0.3),
    "Whole": (("tags", "plot", "image"), 0.2),
}


def made(**ways: str | None) -> dict[str, Trained]:
    """Return `MODELS`; those named were evaluated in another way, or not at all if None."""
    found = {}
    for name, (needs, recall) in MODELS.items():
        way = ways.get(name, "eval")
        of = (None, {}, ()) if recall is None or way is None else (Figures(recall), {}, (way,))
        found[name] = Trained(name, Path(name), needs, False, *of, name)
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("tags",), "Words"),
        (("plot",), "Story"),
        (("image",), "Still"),
        (("tags", "plot"), "Also"),  # of three with equal recall, those that read more, then the first by name
        (("tags", "plot", "image"), "Also"),  # Whole reads more but ranks worse
        (("tags", "image"), "Words"),  # no model reads both
        (("plot", "image"), "Story"),  # Still has no metrics
    ],
)
def test_the_model_that_ranks_best_of_those_that_can_do_with_what_is_given(given, expected):
    model, why = choose(made(), given, None)
    assert model.name == expected
    assert why.endswith(READS_MOST if given == ("image",) else BEST)


def test_a_model_that_answers_subsets_competes_with_its_figure_for_what_is_given():
    parts = ("tags", "plot", "image")
    recalls = {("tags",): 0.1, ("image",): 0.2, ("tags", "image"): 0.5}
    subsets = {frozenset(given): Figures(recall) for given, recall in recalls.items()}
    models = made() | {"Every": Trained("Every", Path("e"), parts, True, Figures(0.6), subsets, ("eval",), "e")}
    chosen = {given: choose(models, given, None)[0].name for given in (("tags",), ("image",), ("tags", "image"), parts)}
    assert chosen == {("tags",): "Words", ("image",): "Every", ("tags", "image"): "Every", parts: "Every"}
    assert models["Every"].figures_of(("image", "tags")) == Figures(0.5)
    assert models["Every"].reads(("image", "tags")) == ("tags", "image")
    assert choose(models, ("plot",), "Every")[0].name == "Every"
    with pytest.raises(ModelError, match=r"add tags \(for Every\), a plot \(for Every\) or an image \(for Every\)$"):
        choose({"Every": models["Every"]}, (), None)


def test_without_figures_that_compare_them_the_model_that_reads_most():
    everything = ("tags", "plot", "image")
    for ways in ({"Words": "all"}, {"Whole": "all"}, dict.fromkeys(MODELS)):
        model, why = choose(made(**ways), everything, None)
        assert model.name == "Whole"
        assert why.endswith(READS_MOST)
        assert choose(made(**ways), ("tags", "plot"), None)[0].name == "Also"
    assert choose(made(Words="all"), ("tags",), None)[1].endswith(BEST)
    assert choose(made(Whole=None), everything, None)[0].name == "Also", "one without figures comes after the others"
    assert choose_similar(made(Words="all"), None, "Elsewhere")[0].name == "Whole"


@pytest.mark.parametrize("key", ["dataset", "pool", "unit", "paragraphs"])
def test_figures_are_compared_where_they_were_measured_alike(asked_root, tmp_path, key):
    for folder in ("models", "metrics"):
        shutil.copytree(asked_root / folder, tmp_path / folder)
    path = tmp_path / "metrics/evaluate/Pair.json"
    assert choose(trained_models(tmp_path), ("tags", "plot"), None)[0].name == "Words"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "other"}))
    model, why = choose(trained_models(tmp_path), ("tags", "plot"), None)
    assert (model.name, why.endswith(READS_MOST)) == ("Pair", True)


def test_metrics_of_other_weights_are_ignored(asked_root, tmp_path):
    for folder in ("models", "metrics"):
        shutil.copytree(asked_root / folder, tmp_path / folder)
    path = tmp_path / "metrics/evaluate/Words.json"
    for content in (json.dumps({"recall_at_10": 0.9, "model": {"model.safetensors": "00"}}), "[]", "{", "{}"):
        path.write_text(content)
        assert trained_models(tmp_path)["Words"].figures is None


def test_figures_are_those_of_the_evaluation_of_what_is_given(asked_root, tmp_path):
    for folder in ("models", "metrics"):
        shutil.copytree(asked_root / folder, tmp_path / folder)
    path = tmp_path / "metrics/evaluate/Pair.json"
    metrics = json.loads(path.read_text()) | {
        "queries": 36,
        "candidates": 166,
        "hit_rate_at_10": 0.694,
        "chance": {"hit_rate_at_10": 0.251},
        "subsets": [
            {"inputs": ["tags"], "queries": 36, "recall_at_10": 0.1, "hit_rate_at_10": 0.5},
            {"inputs": ["plot"], "queries": 30, "recall_at_10": 0.2, "hit_rate_at_10": 0.4},
        ],
    }
    path.write_text(json.dumps(metrics))
    model = trained_models(tmp_path)["Pair"]
    assert model.figures_of(("tags", "plot")) == model.figures == Figures(0.25, 0.694, 0.251, 36, 166)
    assert model.figures_of(("tags",)) == Figures(0.1, 0.5, 0.251, 36, 166)
    assert model.figures_of(("plot",)) == Figures(0.2, 0.4, None, 30, 166), "chance is of other films"
    for said in ("36 test films", "of 166", "69%", "25%"):
        assert said in model.figures.in_words
    assert "chance" not in model.figures_of(("plot",)).in_words
    assert trained_models(tmp_path)["Words"].figures.in_words == ""


def test_a_named_variant_wins_and_need_not_read_all(models):
    model, why = choose(models, ("tags", "plot", "image"), "Words")
    assert (model.name, why) == ("Words", AS_ASKED)


@pytest.mark.parametrize(
    ("given", "variant", "message"),
    [
        (("tags",), "Nope", "variant: found 'Nope', allowed are the trained variants Pair, Still"),
        (("tags",), "Story", r"Story does not fit .* only tags: add a plot, or .* \(Words\)$"),
        (("plot",), "Whole", r"Whole does not fit .* only a plot: add tags and an image, or .* \(Story\)$"),
        ((), None, r"an empty query: add an image \(for Still\), a plot \(for Story\) or tags \(for Words\)$"),
    ],
)
def test_queries_that_fit_no_model_are_explained(models, given, variant, message):
    with pytest.raises(ModelError, match=message):
        choose(models, given, variant)


def test_the_smallest_addition_is_suggested(models):
    some = {name: models[name] for name in ("Pair", "Whole")}
    with pytest.raises(
        ModelError, match=r"no trained model fits a query with only an image: add tags and a plot \(for Pair"
    ):
        choose(some, ("image",), None)
    with pytest.raises(ModelError, match=r"with only tags: add a plot \(for Pair\)$"):
        choose(some, ("tags",), None)
    with pytest.raises(ModelError, match=r"variant Pair does not fit .* only tags: add a plot$"):
        choose(some, ("tags",), "Pair")


def test_similar_tracks_are_found_by_the_published_variant_or_else_the_best(models):
    assert choose_similar(models, None, "Still")[0].name == "Still"
    assert choose_similar(models, None, "Elsewhere")[0].name == "Whole"
    assert choose_similar(models, "Words", "Still")[0].name == "Words"
    with pytest.raises(ModelError, match="found 'Nope'"):
        choose_similar(models, "Nope", "Still")


def test_a_published_model_alone_is_enough(asked_root, tmp_path):
    shutil.copytree(asked_root / "models/Whole", tmp_path / "models/published")
    assert list(trained_models(tmp_path)) == ["Whole"]
    shutil.copytree(asked_root / "models/Whole", tmp_path / "models/Whole")
    found = trained_models(tmp_path)
    assert [model.folder.name for model in found.values()] == ["Whole"]


def test_no_model_and_a_damaged_one_are_named(tmp_path, asked_root):
    with pytest.raises(MissingFileError, match="has no trained model: run `dvc repro`"):
        trained_models(tmp_path)
    shutil.copytree(asked_root / "models/Words", tmp_path / "models/Words")
    for content in ("{", json.dumps({"variant": "Words", "inputs": ["smell"]})):
        (tmp_path / "models/Words/config.json").write_text(content)
        with pytest.raises(ModelError, match=r"Words/config\.json cannot be read"):
            trained_models(tmp_path)
