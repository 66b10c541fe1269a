"""Fine-tuning in the same code: starting from the frozen encoders' vectors, through training, saving and evaluation."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import ModelError
from pipeline.core.variants import Variant
from pipeline.encoders.section import ImageFeatures, TextFeatures
from pipeline.features.image import write_image_features
from pipeline.features.text import write_text_features
from pipeline.model.embed import embed_films, embed_tracks, queries_of, tracks_of
from pipeline.model.store import build_model, load_model, model_config, open_for_model
from pipeline.store.films import films_of, open_store
from pipeline.train.training import open_material, train_variant
from tests.small_machine import MACHINE
from tests.train.recipe import ALONE, MODEL, TRAIN

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
INPUTS = ["tags_plot", "image"]
FINETUNE = replace(TRAIN, encoders="finetune", patience=None)


@pytest.fixture
def world(features, dataset, tmp_path, params, tiny_bert, tiny_vit):
    """The root folder, rows with texts and posters, and a section `features` with tiny encoders."""
    rng = np.random.default_rng(1)
    words = np.array(["a", "dog", "runs", "home", "war", "begins", "."])
    for fid in sorted({row["fid"] for row in dataset}):
        Image.fromarray(rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save(tmp_path / f"{fid}.png")
    texts = {fid: [" ".join(rng.choice(words, 5)) for _ in range(3)] for fid in sorted({r["fid"] for r in dataset})}
    rows = [
        row | {"tags": texts[row["fid"]][0], "plot": "\n".join(texts[row["fid"]][1:]), "image": f"{row['fid']}.png"}
        for row in dataset
    ]
    text, image = TextFeatures(str(tiny_bert), "auto", 20), ImageFeatures(str(tiny_vit), "auto", 2)
    return tmp_path, rows, dataclasses.replace(params.features, text=text, image=image)


def trained(world, params=FINETUNE, inputs=INPUTS):
    """Train; return the saved model, its config, and the reports."""
    root, rows, features = world
    records = []
    material = open_material(root, rows, Variant(list(inputs)), features.text, features.image, params)
    train_variant(root, "All", Variant(list(inputs)), material, rows, MODEL, params, ALONE, False, records.append)
    return *load_model(root / "models/All"), records


def assert_learned(records):
    losses = [record["train_loss"] for record in records]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


def embeddings(world, model, config):
    """Return the embeddings of the films and tracks of all sets."""
    root, rows, _ = world
    store = open_for_model(root, rows, "All", INPUTS, config)
    films = films_of(rows, store)
    return embed_films(model, queries_of(films, store), config, 4, CPU), embed_tracks(
        model, tracks_of(films, store), config, 4, CPU
    )


def test_untrained_model_gives_what_frozen_features_give(world):
    root, rows, features = world
    write_text_features(root / "data/features/text.parquet", rows, features.text, MACHINE)
    write_image_features(root, root / "data/features/image.parquet", rows, features.image, MACHINE)
    found = []
    for encoders in ("frozen", "finetune"):
        material = open_material(
            root,
            rows,
            Variant(["plot", "image"]),
            features.text,
            features.image,
            replace(TRAIN, encoders=encoders),
        )
        store, steps = material.store, material.store.window_steps(0.8)
        config = model_config("x", store.inputs, MODEL, store.specs(), steps, material.settings)
        torch.manual_seed(0)
        model = build_model(config, material.networks)
        found.append(embed_films(model, queries_of(films_of(rows, store), store), config, 5, CPU))
    assert np.abs(found[0] - found[1]).max() < 1e-5
    assert np.abs(found[0] - found[0][0]).max() > 0.01


def test_encoders_learn_and_are_loaded_with_the_model(world):
    root, rows, features = world
    before = open_material(root, rows, Variant(INPUTS), features.text, features.image, FINETUNE).networks
    model, config, records = trained(world)
    assert_learned(records)
    for kind, network in before.items():
        weights = dict(model.encoders[kind].named_parameters())
        moved = {n for n, weight in network.named_parameters() if not torch.equal(weight, weights[n])}
        assert len(moved) > 0.8 * len(weights)
    films, tracks = embeddings(world, model, config)
    assert films.shape == (12, MODEL.embed_dim)
    assert tracks.shape == (36, MODEL.embed_dim)
    (root / "data/features/text.parquet").unlink()
    (root / "data/features/image.parquet").unlink()
    again = embeddings(world, *load_model(root / "models/All"))
    assert np.array_equal(again[0], films)


def test_encoders_have_their_own_learning_rate(world):
    root, rows, features = world
    before = open_material(root, rows, Variant(INPUTS), features.text, features.image, FINETUNE).networks
    model, _, _ = trained(world, replace(FINETUNE, encoder_learning_rate=1e-12, weight_decay=0.0))
    for kind, network in before.items():
        for name, weight in model.encoders[kind].named_parameters():
            torch.testing.assert_close(weight, dict(network.named_parameters())[name].detach(), rtol=0, atol=1e-9)


def test_two_runs_agree_and_micro_batches_train(world):
    root = world[0]
    trained(world)
    once = (root / "models/All/model.safetensors").read_bytes()
    trained(world)
    assert (root / "models/All/model.safetensors").read_bytes() == once
    assert_learned(trained(world, replace(FINETUNE, micro_batch_size=4, epochs=20))[2])


def test_config_describes_the_encoders_and_needs_no_folder(world, tiny_bert):
    _, config, _ = trained(world)
    assert config["encoders"]["text"]["encoder"] == str(tiny_bert)
    assert json.loads(config["encoders"]["text"]["tokenizer"])["version"]
    assert "tags_plot" not in config["features"]
    assert config["features"].keys() == {"audio"}


def test_model_of_other_inputs_is_refused(world):
    root, rows, _ = world
    _, config, _ = trained(world)
    with pytest.raises(ModelError, match=r"holds a model of tags_plot, image .*but variants\.All is plot: run"):
        open_for_model(root, rows, "All", ["plot"], config)


def test_tables_of_other_features_are_refused(features, dataset, tmp_path):
    store = open_store(features, ["plot"])
    specs = store.specs()
    specs["plot"] = specs["plot"] | {"encoder": "another"}
    config = model_config("x", ["plot"], MODEL, specs, store.window_steps(0.8))
    with pytest.raises(ModelError, match=r"was trained on plot features .*another.*run `dvc repro`"):
        open_for_model(tmp_path, dataset, "x", ["plot"], config)
