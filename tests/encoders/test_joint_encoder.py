"""Joint encoders: tiny ones of both families through the real loading code, and unusable models."""

import json
import shutil

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from pipeline.core.errors import ModelError
from pipeline.encoders import pretrained, source
from pipeline.encoders.joint import GEMMA_PROMPT, UNLIKE, direction, load_joint
from tests.encoders.tiny import JOINT, without_weights

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
RATES = {"joint_clap": 48000, "joint_gemma": 16000}  # Hz
TEXTS = ["sad piano", "drums and horns at night", "war"]


def load(folder, batch_size=2):
    return load_joint(str(folder), CPU, batch_size)


def tones(rate, *pitches):
    """Return one second of each pitch in Hz, float32."""
    return [(0.3 * np.sin(2 * np.pi * pitch * np.arange(rate) / rate)).astype(np.float32) for pitch in pitches]


def pictures():
    rng = np.random.default_rng(0)
    shapes = ((40, 60, 3), (90, 30, 3))
    return [Image.fromarray(rng.integers(0, 256, shape, np.uint8)) for shape in shapes]


def unit(vector):
    return (vector / vector.norm()).numpy()


def by_transformers(folder, prompt=""):
    """Return functions of a text, a window and a picture that use only transformers' own classes."""
    from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoModel, AutoTokenizer
    from transformers.models.embedding_gemma2.processing_embedding_gemma2 import EmbeddingGemma2Processor

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    if model.config.model_type == "clap":

        def text(words):
            return unit(model.get_text_features(**tokenizer(words, return_tensors="pt")).pooler_output[0])

        def audio(window):
            found = extractor(window, sampling_rate=48000, return_tensors="pt")["input_features"].float()
            return unit(model.get_audio_features(found, torch.tensor([[False]])).pooler_output[0])

        return text, audio, None
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    processor = EmbeddingGemma2Processor.__new__(EmbeddingGemma2Processor)  # the complete processor needs torchvision
    names = ("boi", "image", "eoi", "boa", "audio")
    tokens = {f"{name}_token": getattr(model.config, f"{name}_token_id") for name in names}
    tokens["eoa_token"] = model.config.eoa_token_index
    for name, number in tokens.items():
        setattr(processor, name, tokenizer.convert_ids_to_tokens(number))

    def mean(words, **inputs):
        return unit(model(**tokenizer(words, return_tensors="pt"), **inputs).last_hidden_state[0].mean(0))

    def audio(window):
        found = extractor([window], sampling_rate=16000, return_tensors="pt")
        return mean(processor.replace_audio_token(found, 0), **found)

    def image(picture):
        found = images(images=[picture], return_tensors="pt")
        words = processor.replace_image_token(found, 0)
        return mean(words, **{name: found[name] for name in ("pixel_values", "image_position_ids")})

    return lambda words: mean(GEMMA_PROMPT + words), audio, image


@pytest.mark.parametrize("kind", JOINT)
def test_every_tower_equals_the_models_own_classes_at_unit_norm(tiny, kind):
    encoder = load(tiny(kind))
    windows = tones(RATES[kind], 200, 900, 3000)
    assert encoder.audio.sample_rate == RATES[kind]
    with torch.inference_mode():
        text, audio, image = by_transformers(tiny(kind))
        found = {
            "text": (encoder.text.encode(TEXTS), [text(words) for words in TEXTS]),
            "audio": (encoder.audio.encode(windows), [audio(window) for window in windows]),
        }
        if image is not None:
            found["image"] = (
                np.stack([encoder.image(picture) for picture in pictures()]),
                [image(picture) for picture in pictures()],
            )
    assert ("image" in found) == (encoder.image is not None) == (kind == "joint_gemma")
    assert encoder.parts == (("tags", "plot", "image") if encoder.image else ("tags", "plot"))
    for name, (ours, theirs) in found.items():
        assert (ours.dtype, ours.shape) == (np.float32, (len(theirs), 12)), name
        assert np.abs(ours - np.stack(theirs)).max() < 1e-5, name
        assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5
        assert np.abs(ours[0] - ours[1]).max() > 1e-5, name


@pytest.mark.parametrize("kind", JOINT)
def test_a_window_or_text_alone_equals_it_among_others(tiny, kind):
    encoder = load(tiny(kind))
    windows = [*tones(RATES[kind], 300, 700), *(tone[:5000] for tone in tones(RATES[kind], 300, 500, 700))]
    alone = np.concatenate([encoder.audio.encode([window]) for window in windows])
    assert np.abs(encoder.audio.encode(windows) - alone).max() < 1e-5
    alone = np.concatenate([encoder.text.encode([text]) for text in TEXTS])
    assert np.abs(encoder.text.encode(TEXTS) - alone).max() < 1e-5


@pytest.mark.parametrize("kind", JOINT)
def test_long_texts_are_truncated_and_windows_fit_the_extractor(tiny, kind):
    encoder = load(tiny(kind))
    longest = encoder.text.spec["max_tokens"]
    assert longest == {"joint_clap": 40, "joint_gemma": 64}[kind]
    long = "a quick brown fox " * 20
    assert np.array_equal(encoder.text.encode([long]), encoder.text.encode([long + "and a dog"]))
    assert encoder.windows.window_seconds == {"joint_clap": 1.0, "joint_gemma": 10.0}[kind]


@pytest.mark.parametrize("kind", JOINT)
def test_the_digest_depends_on_the_computation_not_on_the_name(tiny, kind, tmp_path, monkeypatch):
    from safetensors.torch import load_file, save_file

    encoder = load(tiny(kind))
    copy = shutil.copytree(tiny(kind), tmp_path / "copy")
    with monkeypatch.context() as patch:
        patch.setattr(pretrained, "precision_of", lambda device: "bfloat16")
        same = load(copy)
    assert (same.digest, same.name) == (encoder.digest, str(copy))
    assert same.audio.spec != encoder.audio.spec
    weights = load_file(copy / "model.safetensors")
    name = next(name for name in weights if weights[name].ndim == 2 and weights[name].is_floating_point())
    save_file(weights | {name: weights[name] + 0.01}, copy / "model.safetensors", {"format": "pt"})
    assert load(copy).digest != encoder.digest


def test_text_vectors_that_are_nearly_constant_are_refused(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny("joint_clap"), tmp_path / "constant")
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.linear2.weight"] *= 1e-4  # only its bias is left
    weights["text_projection.linear2.bias"] += 1.0
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        ModelError, match=rf"zero_shot: .*{len(UNLIKE)} texts .* mean cosine of 1\.0000.*larger_clap_music"
    ):
        load(folder)


def test_other_families_are_refused_before_their_weights_are_fetched(tiny, monkeypatch):
    fetched = []
    locate = source.locate
    monkeypatch.setattr(
        "pipeline.encoders.joint.locate",
        lambda name, packaged, weights=True: fetched.append(weights) or locate(name, packaged, weights),
    )
    with pytest.raises(ModelError, match=r"(?s)zero_shot: .*'bert'.* clap or embedding_gemma2.*clap-htsat-unfused"):
        load(tiny("bert"))
    assert fetched == [False]


@pytest.mark.parametrize("part", ["audio_projection", "text_projection", "text_model.pooler"])
def test_a_checkpoint_without_a_part_is_refused(tiny, tmp_path, part):
    with pytest.raises(ModelError, match=r"zero_shot: .* its checkpoint lacks"):
        load(without_weights(tiny("joint_clap"), tmp_path / "part", part))


def test_a_checkpoint_without_constants_is_the_same_model(tiny, tmp_path):
    whole = load(tiny("joint_clap"))
    found = load(
        without_weights(tiny("joint_clap"), tmp_path / "part", "position_ids", "token_type_ids", "num_batches")
    )
    assert found.digest == whole.digest
    assert np.array_equal(found.text.encode(TEXTS), whole.text.encode(TEXTS))


def test_audio_is_required_and_pictures_are_optional(tiny, tmp_path):
    for side, part in (("audio", "audio"), ("vision", "vision")):
        folder = without_weights(tiny("joint_gemma"), tmp_path / side, f"{part}_tower", f"embed_{part}")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {f"{side}_config": None}))
    with pytest.raises(ModelError, match="no audio side"):
        load(tmp_path / "audio")
    whole, blind = load(tiny("joint_gemma")), load(tmp_path / "vision")
    assert (blind.image, blind.parts) == (None, ("tags", "plot"))
    assert np.array_equal(blind.text.encode(TEXTS), whole.text.encode(TEXTS))


def test_a_missing_model_is_named_with_available_ones(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"zero_shot: 'no/such-model' cannot be used: .*\nName a folder"):
        load("no/such-model")


def test_direction_is_that_of_the_sum():
    found = direction(np.array([[3.0, 0.0], [0.0, 4.0]], np.float32))
    assert found.dtype == np.float32
    assert np.allclose(found, [0.6, 0.8])
