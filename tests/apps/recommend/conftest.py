"""A root folder with several trained variants that tests only read."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.apps.recommend.libraries import FilmLibrary
from pipeline.apps.recommend.recommender import Recommender
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.files import sha256_of
from pipeline.params import Params
from tests.apps.recommend.asked_world import CPU, features_of, make_asked_world, train

VARIANTS = {  # and the recall of their evaluations
    "Words": (["tags"], 0.3),
    "Story": (["plot"], 0.1),
    "Still": (["image"], None),
    "Text": (["tags_plot"], 0.2),
    "Pair": (["tags", "plot"], 0.25),
    "Whole": (["tags_plot", "image"], 0.35),
}


@pytest.fixture(scope="session")
def asked_root(tmp_path_factory: pytest.TempPathFactory, params: Params, tiny_bert: Path, tiny_vit: Path) -> Path:
    """A root folder with the models of `VARIANTS`, none of them published."""
    root = tmp_path_factory.mktemp("asked")
    make_asked_world(root, params, ["image"], tiny_bert, tiny_vit)
    for name in ("Asked", "ImPlo"):  # written by make_asked_world
        shutil.rmtree(root / "models" / name)
    folder = root / "metrics/evaluate"
    folder.mkdir(parents=True)
    for name, (inputs, recall) in VARIANTS.items():
        train(root, name, inputs, features_of(params, tiny_bert, tiny_vit))
        if recall is not None:
            way = {"dataset": "ad7e", "pool": "eval", "unit": "segment", "paragraphs": "mean"}
            weights = {"model.safetensors": sha256_of(root / "models" / name / "model.safetensors")}
            metrics = way | {"recall_at_10": recall, "model": weights}
            (folder / f"{name}.json").write_text(json.dumps(metrics))
    return root


@pytest.fixture(scope="session")
def recommender(asked_root: Path, params: Params) -> Recommender:
    """The recommender with those models."""
    films = FilmLibrary(asked_root, 4, CPU)
    return Recommender(trained_models(asked_root), {"films": films}, params.recommend, CPU, "Text", "words")
