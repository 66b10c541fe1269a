"""BERT without transformers: the same vectors, and no model that it would compute differently."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.core.errors import ModelError
from pipeline.encoders import text
from pipeline.encoders.bert import KNOWN, Bert, WordPieces, open_bert
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.source import packaged_path
from pipeline.encoders.text import load_query_encoder, load_text_encoder

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PACKAGED = "all-MiniLM-L6-v2"
TEXTS = [
    "noir revenge",
    "",
    "Häxan: naïve façade, 東京物語 🎬 <DESCR> [MASK] don't!",
    "word " * 30,
    "A detective returns to the rainy city to avenge his murdered partner. " * 40,
    "war\nbegins\t.",
    " ",
]


def of_features(pooling="auto", max_tokens=64):
    return load_text_encoder(TextFeatures(PACKAGED, pooling, max_tokens), CPU, 4)


@pytest.fixture(scope="module")
def spec():
    """The spec of the packaged encoder's vectors."""
    return of_features().spec


@pytest.mark.parametrize(("pooling", "max_tokens"), [("auto", 64), ("pooler", 512), ("cls", 16)])
def test_the_packaged_encoder_gives_queries_the_vectors_of_features(pooling, max_tokens):
    features = of_features(pooling, max_tokens)
    queries = load_query_encoder(features.spec, CPU, 4)
    assert isinstance(queries.model, Bert) and not isinstance(features.model, Bert)
    assert (queries.spec, queries.width) == (features.spec, features.width)
    np.testing.assert_allclose(queries.encode(TEXTS), features.encode(TEXTS), atol=1e-5)
    alone = np.concatenate([queries.encode([one]) for one in TEXTS])
    np.testing.assert_allclose(alone, features.encode(TEXTS), atol=1e-5)
    assert queries.encode([]).shape == (0, features.width)


def test_states_and_pooled_output_are_those_of_transformers(tiny_bert):
    from transformers import AutoModel, AutoTokenizer

    texts = ["a dog runs home .", "war", "", "a " * 40]
    model, tokenizer = open_bert(tiny_bert)
    theirs = AutoTokenizer.from_pretrained(tiny_bert)
    tokens = tokenizer(texts, truncation=True, max_length=12)["input_ids"]
    assert tokens == theirs(texts, truncation=True, max_length=12)["input_ids"]
    ids = torch.tensor([row + [0] * (12 - len(row)) for row in tokens])
    mask = torch.tensor([[1] * len(row) + [0] * (12 - len(row)) for row in tokens])
    with torch.inference_mode():
        found, expected = (
            network(input_ids=ids, attention_mask=mask)
            for network in (model, AutoModel.from_pretrained(tiny_bert).eval())
        )
    assert found.last_hidden_state.std() > 0.1
    torch.testing.assert_close(
        found.last_hidden_state[mask > 0], expected.last_hidden_state[mask > 0], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(found.pooler_output, expected.pooler_output, atol=1e-5, rtol=0)


@pytest.mark.parametrize("digest", ["weights", "tokenizer"])
def test_an_encoder_not_used_in_training_is_left_to_transformers(spec, digest):
    assert isinstance(load_query_encoder(spec, CPU, 4).model, Bert)
    assert not isinstance(load_query_encoder(spec | {digest: "another"}, CPU, 4).model, Bert)


def test_an_encoder_that_is_not_packaged_is_left_to_transformers(tiny_bert):
    features = load_text_encoder(TextFeatures(str(tiny_bert), "auto", 20), CPU, 4)
    assert not isinstance(load_query_encoder(features.spec, CPU, 4).model, Bert)


@pytest.mark.parametrize("change", [*KNOWN, "no kind"])
def test_a_network_that_computes_otherwise_is_not_opened(tiny_bert, tmp_path, change):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    settings = json.loads((folder / "config.json").read_text())
    if change == "no kind":
        del settings["model_type"]
    else:
        settings[change] = True if KNOWN[change] is False else 1 if KNOWN[change] == 0 else "relu"
    (folder / "config.json").write_text(json.dumps(settings))
    assert open_bert(folder) is None


@pytest.mark.parametrize("lacks", ["model.safetensors", "tokenizer.json", "tokenizer_config.json", "pooler", "float32"])
def test_a_folder_that_lacks_something_is_not_opened(tiny_bert, tmp_path, lacks):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    if (folder / lacks).is_file():
        (folder / lacks).unlink()
    else:
        weights = load_file(folder / "model.safetensors")
        kept = {name: value for name, value in weights.items() if lacks == "float32" or not name.startswith("pooler")}
        saved = {name: value.half() if lacks == "float32" else value for name, value in kept.items()}
        save_file(saved, folder / "model.safetensors")
    assert open_bert(folder) is None


def test_a_damaged_packaged_encoder_is_an_error_that_names_it(spec, monkeypatch, tmp_path):
    folder = shutil.copytree(packaged_path(*text.PACKAGED[PACKAGED]), tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"damaged")
    monkeypatch.setattr(text, "locate", lambda *_: text.Source(folder, "local"))
    with pytest.raises(ModelError, match=r"features\.text\.encoder: 'all-MiniLM-L6-v2' cannot be used"):
        load_query_encoder(spec, CPU, 4)


def test_length_settings_in_a_tokenizer_file_are_ignored():
    found = WordPieces(packaged_path(*text.PACKAGED[PACKAGED]) / "tokenizer.json", 512)
    short, long = found(["war", "war " * 200])["input_ids"]
    assert (len(short), len(long)) == (3, 202)
    assert len(found(["war " * 200], truncation=True, max_length=20)["input_ids"][0]) == 20
