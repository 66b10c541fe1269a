"""Encoders that are trained: they start from the frozen ones' vectors and can be rebuilt from settings alone."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import ModelError
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.pixels import Preparation
from pipeline.encoders.section import Features, ImageFeatures, TextFeatures
from pipeline.encoders.text import load_text_encoder
from pipeline.encoders.tuned import MARKS, build_tuned, load_tuned
from pipeline.store.raw import TokenTable, raw_tables
from tests.encoders.tiny import IMAGE, TEXT, save_dense, save_prompt, save_sentence

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
TAGS, PARAGRAPHS = "a dog runs", ["war begins .", "home a dog war begins home . a dog runs"]
FILM = {"fid": "AAA", "tags": TAGS, "plot": "\n".join(PARAGRAPHS), "image": "poster.png"}


@pytest.fixture
def features_of(params):
    """Return a function that returns the section with other encoders."""

    def make(text="all-MiniLM-L6-v2", image="efficientnet-lite0", pooling="auto", max_tokens=20, crops=1) -> Features:
        return dataclasses.replace(
            params.features,
            text=TextFeatures(str(text), pooling, max_tokens),
            image=ImageFeatures(str(image), pooling, crops),
        )

    return make


def sections(features: Features) -> tuple[TextFeatures, ImageFeatures]:
    return features.text, features.image


def tokens_of(settings, inputs=("plot",)) -> TokenTable:
    return raw_tables(None, [FILM], inputs, {"text": settings})["text"]


@pytest.mark.parametrize("kind", [*TEXT, "packaged"])
def test_text_vectors_start_as_the_frozen_encoders(tiny, features_of, kind):
    features = features_of(text="all-MiniLM-L6-v2" if kind == "packaged" else tiny(kind))
    networks, settings = load_tuned(["text"], features.text, features.image, marks=False)
    expected = load_text_encoder(features.text, CPU, 2).encode(PARAGRAPHS)
    tokens = tokens_of(settings["text"]).read([0, 1])
    assert tokens["attention_mask"][0].min() == 0, "nothing is padded: the test shows nothing"
    with torch.inference_mode():
        assert np.abs(networks["text"].eval()(tokens).numpy() - expected).max() < 1e-5


def test_sentence_models_keep_their_pooling_norm_case_and_length(tiny_bert, features_of, tmp_path):
    pooling, cut = {"pooling_mode_mean_tokens": True}, {"do_lower_case": True, "max_seq_length": 6}
    folder = save_sentence(tiny_bert, tmp_path / "sentence", pooling, "Normalize", **cut)
    features = features_of(text=folder)
    networks, settings = load_tuned(["text"], features.text, features.image, marks=False)
    expected = load_text_encoder(features.text, CPU, 2).encode(PARAGRAPHS)
    tokens = tokens_of(settings["text"]).read([0, 1])
    assert tokens["input_ids"].shape == (2, 6)
    with torch.inference_mode():
        assert np.abs(networks["text"].eval()(tokens).numpy() - expected).max() < 1e-5


def test_sentence_models_keep_their_prompt_and_dense_layers(tiny_bert, features_of, tmp_path):
    folder = save_sentence(tiny_bert, tmp_path / "sentence", {"pooling_mode": "mean"}, "Dense", "Normalize")
    save_dense(folder, 2, torch.nn.Linear(16, 6), "torch.nn.modules.activation.Tanh")
    save_prompt(folder, {"query": "dog begins "}, "query")
    features = features_of(text=folder)
    networks, settings = load_tuned(["text"], features.text, features.image, marks=False)
    expected = load_text_encoder(features.text, CPU, 2).encode(PARAGRAPHS)
    settings = json.loads(json.dumps(settings))
    assert settings["text"]["width"] == expected.shape[1] == 6
    again = build_tuned("text", settings["text"])
    again.load_state_dict(networks["text"].state_dict())
    tokens = tokens_of(settings["text"]).read([0, 1])
    with torch.inference_mode():
        for network in (networks["text"], again):
            assert np.abs(network.eval()(tokens).numpy() - expected).max() < 1e-5
    again.train()(tokens).square().sum().backward()
    assert again.dense[0].linear.weight.grad is not None


@pytest.mark.parametrize("pooling", ["auto", "mean"])
@pytest.mark.parametrize("kind", [*IMAGE, "packaged"])
def test_image_vectors_start_as_the_frozen_encoders(tiny, features_of, tmp_path, kind, pooling):
    features = features_of(image="efficientnet-lite0" if kind == "packaged" else tiny(kind), pooling=pooling)
    networks, settings = load_tuned(["image"], features.text, features.image, marks=False)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8))
    picture.save(tmp_path / "poster.png")
    table = raw_tables(tmp_path, [FILM], ["image"], settings)["image"]
    pixels = table.values(table.read([0]))
    expected = load_image_encoder(features.image, CPU, 2).encode([picture])
    with torch.inference_mode():
        assert np.abs(networks["image"].eval()(pixels).numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("kind", [*TEXT, *IMAGE, "packaged text", "packaged image"])
def test_networks_are_rebuilt_from_settings_in_json(tiny, features_of, kind):
    part = "text" if kind in TEXT or kind == "packaged text" else "image"
    features = features_of() if kind.startswith("packaged") else features_of(**{part: tiny(kind)})
    networks, settings = load_tuned([part], features.text, features.image, marks=part == "text")
    again = build_tuned(part, json.loads(json.dumps(settings[part])))
    again.load_state_dict(networks[part].state_dict())
    torch.manual_seed(0)
    size = settings[part].get("preparation", {}).get("size")
    given = torch.randn(2, 3, size, size) if size else tokens_of(settings["text"]).read([0, 1])
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(given), networks[part].eval()(given))


def test_networks_train_all_weights_used_for_their_vector(tiny_bert, tiny_vit, features_of):
    networks, settings = load_tuned(["text", "image"], *sections(features_of(tiny_bert, tiny_vit)), marks=False)
    assert all(module.training for network in networks.values() for module in network.modules())
    networks["text"](tokens_of(settings["text"]).read([0, 1])).square().sum().backward()
    networks["image"](torch.randn(2, 3, 32, 32)).square().sum().backward()
    idle = {n for network in networks.values() for n, weight in network.named_parameters() if weight.grad is None}
    assert idle == {f"network.pooler.dense.{name}" for name in ("weight", "bias")}


@pytest.mark.parametrize("kind", TEXT)
def test_marks_become_tokens_with_learned_vectors(tiny, features_of, kind):
    plain, _ = load_tuned(["text"], *sections(features_of(text=tiny(kind))), marks=False)
    networks, settings = load_tuned(["text"], *sections(features_of(text=tiny(kind))), marks=True)
    before, after = (n["text"].network.get_input_embeddings().weight for n in (plain, networks))
    added = len(after) - len(before)
    assert added == len(MARKS)
    assert torch.equal(after[:-added], before)
    ids = tokens_of(settings["text"], ["tags_plot"]).read([0])["input_ids"][0].tolist()
    marks = [i for i in ids if i >= len(before)]
    assert marks == [len(before), len(before) + 1]
    assert ids.index(marks[1]) - ids.index(marks[0]) == 1 + len(TAGS.split())


def test_encoder_without_a_fast_tokenizer_is_refused(tiny_bert, features_of, monkeypatch):
    from pipeline.encoders import tuned

    def slow(params, device, batch_size):
        encoder = load_text_encoder(params, device, batch_size)
        return dataclasses.replace(encoder, tokenizer=object())

    monkeypatch.setattr(tuned, "load_text_encoder", slow)
    with pytest.raises(ModelError, match=r"features\.text\.encoder: .* no fast tokenizer.*train\.encoders to frozen"):
        load_tuned(["text"], *sections(features_of(text=tiny_bert)), marks=False)


def test_kind_that_the_library_lacks_is_refused():
    with pytest.raises(ModelError, match="'quantum'"):
        build_tuned("text", {"config": {"model_type": "quantum"}})


def test_values_of_stored_pixels_are_scaled_and_normalised():
    mean, std = [0.5, 0.4, 0.3], [0.5, 0.2, 0.1]
    preparation = Preparation(40, 32, 3, 1 / 255, mean, std)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8))
    pixels = preparation.pixels(picture)
    assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)
    expected = (pixels.astype(np.float32) * np.float32(1 / 255) - np.float32(mean)) / np.float32(std)
    (found,) = preparation.values(torch.tensor(pixels)[None]).numpy()
    assert np.array_equal(found, expected.transpose(2, 0, 1))
