"""Audio encoders: tiny ones of each family, windows of every length, and unusable models."""

import json
import shutil

import numpy as np
import pytest
import torch

from pipeline.core.errors import ModelError, ParamsError
from pipeline.encoders import pretrained
from pipeline.encoders.audio import TOWERS, load_audio_encoder
from pipeline.encoders.pretrained import load_model
from pipeline.encoders.section import WindowFeatures
from tests.encoders.tiny import AUDIO, without_weights

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
AUTO = {"clap": "pooler", "clap_fusion": "pooler", "ast": "pooler", "wav2vec2": "mean", "hubert": "mean"}
RATES = {"clap": 48000, "clap_fusion": 48000, "ast": 16000, "wav2vec2": 16000, "hubert": 16000}  # Hz


def load(encoder, pooling="auto", device=CPU, window_seconds=0.5):
    params = WindowFeatures(str(encoder), pooling, window_seconds, window_hop_seconds=0.25)
    return load_audio_encoder(params, device, 2)


def sounds(*lengths):
    rng = np.random.default_rng(0)
    return [(0.1 * (i + 1) * rng.standard_normal(n)).astype(np.float32) for i, n in enumerate(lengths)]


def outputs(kind, folder, window):
    """Return a window's vectors by pooling, using only transformers' own classes."""
    from transformers import AutoFeatureExtractor, AutoModel

    model, extractor = AutoModel.from_pretrained(folder).eval(), AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(window, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.inference_mode():
        if kind.startswith("clap"):
            inputs = {"input_features": inputs["input_features"].float(), "is_longer": torch.tensor([[False]])}
            ways = {
                "pooler": model.get_audio_features(**inputs).pooler_output[0],
                "mean": model.audio_model(**inputs).pooler_output[0],
            }
        else:
            states = model(**inputs).last_hidden_state[0]
            ways = {"mean": states.mean(0)}
            if kind == "ast":
                ways = {"mean": states[2:].mean(0), "cls": states[0], "pooler": states[:2].mean(0)}
    return {name: vector.numpy() for name, vector in ways.items()}


@pytest.mark.parametrize("pooling", ["auto", "cls", "mean", "pooler"])
@pytest.mark.parametrize("kind", AUDIO)
def test_poolings_of_each_family(tiny, kind, pooling):
    windows = sounds(*[RATES[kind] // 2] * 3, RATES[kind] // 5)
    expected = [outputs(kind, tiny(kind), window) for window in windows]
    if pooling not in ("auto", *expected[0]):
        ways = "pooler, mean" if "pooler" in expected[0] else "mean"
        with pytest.raises(ParamsError, match=rf"audio\.pooling: found '{pooling}'; .* has weights for {ways}$"):
            load(tiny(kind), pooling)
        return
    encoder = load(tiny(kind), pooling)
    assert encoder.sample_rate == RATES[kind]
    assert encoder.spec["pooling"] == (AUTO[kind] if pooling == "auto" else pooling)
    for vector, ways in zip(encoder.encode(windows), expected, strict=True):
        assert np.abs(vector - ways[encoder.spec["pooling"]]).max() < 1e-5


@pytest.mark.parametrize("kind", ["clap", "clap_fusion"])
def test_clap_is_at_unit_norm(tiny, kind):
    vectors = load(tiny(kind)).encode(sounds(24000, 24000))
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("kind", AUDIO)
def test_a_window_alone_equals_it_among_others_in_any_order(tiny, kind):
    encoder = load(tiny(kind))
    full = RATES[kind] // 2
    windows = sounds(full, full, 7, full - 1, full, full // 3, 0)
    together = encoder.encode(windows)
    assert (together.shape, together.dtype) == ((7, encoder.width), np.float32)
    assert np.isfinite(together).all()
    np.random.seed(1)
    assert np.array_equal(encoder.encode(windows), together)
    np.random.seed(2)  # CLAP's feature extractor draws from it
    assert np.array_equal(encoder.encode(windows), together)
    assert np.abs(encoder.encode(windows[::-1])[::-1] - together).max() < 1e-5
    assert np.abs(np.concatenate([encoder.encode([window]) for window in windows]) - together).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-4
    assert encoder.encode([]).shape == (0, encoder.width)


@pytest.mark.parametrize("kind", AUDIO)
def test_the_same_samples_give_the_same_bits(tiny, kind):
    prepare = load(tiny(kind)).prepare
    windows = sounds(*[RATES[kind] // 2] * 3)
    together = prepare(windows)
    for number, window in enumerate(windows):
        for name, value in prepare([window]).items():
            assert torch.equal(value[0], together[name][number])
            assert value.dtype in (torch.float32, torch.int32, torch.int64, torch.bool)


@pytest.mark.parametrize(("kind", "longest"), [("clap", 1.0), ("clap_fusion", 1.0), ("ast", 1.0)])
def test_a_window_that_would_be_cut_is_refused(tiny, kind, longest):
    message = rf"features\.audio\.window_seconds: found 1\.01; .* takes at most {longest:g}; lower it$"
    with pytest.raises(ParamsError, match=message):
        load(tiny(kind), window_seconds=1.01)
    encoder = load(tiny(kind), window_seconds=longest)
    [window] = sounds(RATES[kind])
    assert np.array_equal(encoder.encode([window]), encoder.encode([window]))
    with pytest.raises(ValueError, match="longer than 1 s"):
        encoder.encode(sounds(RATES[kind] + 1))


@pytest.mark.parametrize("kind", AUDIO)
def test_silence_and_full_scale_give_finite_values(tiny, kind):
    length = RATES[kind] // 2
    square = np.where(np.arange(length) % 100 < 50, 1, -1).astype(np.float32)
    assert np.isfinite(load(tiny(kind)).encode([np.zeros(length, np.float32), square])).all()


def test_only_the_audio_tower_is_loaded_and_needed(tiny, tmp_path):
    encoder = load(tiny("clap"))
    tower, _ = load_model(tiny("clap"), TOWERS)
    assert not [name for name in tower.state_dict() if "text" in name]
    alone = without_weights(tiny("clap"), tmp_path / "alone", "text_", "logit_")
    assert load(alone).spec == encoder.spec | {"encoder": str(alone)}
    tower.save_pretrained(tmp_path / "saved")
    shutil.copy(tiny("clap") / "preprocessor_config.json", tmp_path / "saved")
    assert load(tmp_path / "saved").spec["weights"] == encoder.spec["weights"]


def test_a_projection_that_the_checkpoint_lacks_is_never_used(tiny, tmp_path):
    folder = without_weights(tiny("clap"), tmp_path / "model", "audio_projection.")
    assert load(folder).spec == load(folder).spec, "random weights do not count"
    assert load(folder).spec["pooling"] == "mean"
    with pytest.raises(ParamsError, match=r"features\.audio\.pooling: found 'pooler'; .* has weights for mean$"):
        load(folder, "pooler")


def test_weights_used_only_in_training_may_be_missing(tiny, tmp_path):
    folder = without_weights(tiny("wav2vec2"), tmp_path / "model", "masked_spec_embed")
    assert load(folder).spec == load(folder).spec == load(tiny("wav2vec2")).spec | {"encoder": str(folder)}


@pytest.mark.parametrize("kind", AUDIO)
def test_spec_is_json_with_everything_that_affects_values(tiny, tmp_path, kind):
    from safetensors.torch import load_file, save_file

    spec = load(tiny(kind)).spec
    assert json.loads(json.dumps(spec)) == spec == load(tiny(kind)).spec
    assert (spec["sample_rate"], spec["window_seconds"], spec["window_hop_seconds"]) == (RATES[kind], 0.5, 0.25)
    other = shutil.copytree(tiny(kind), tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(
        name for name in weights if "layer" in name and "text" not in name and weights[name].is_floating_point()
    )
    save_file(weights | {name: weights[name] + 1}, other / "model.safetensors", {"format": "pt"})
    assert load(other).spec["weights"] != spec["weights"]
    settings = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps(settings | {"padding_value": 0.5}))
    assert load(other).spec["extractor"] != spec["extractor"]
    assert load(tiny(kind), window_seconds=0.4).spec != spec


def test_mert_is_refused_since_its_code_is_its_repositorys(tiny, tmp_path):
    folder = shutil.copytree(tiny("wav2vec2"), tmp_path / "mert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mert_model", "auto_map": {"AutoModel": "modeling_MERT.MERTModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    ways = r"installed encoder \(log-mel, musicnn\), a folder .* hub, .* HF_HOME"
    with pytest.raises(ModelError, match=rf"'mert_model' .* transformers .* never run(.|\n)*{ways}"):
        load(folder)


def test_an_unusable_encoder_is_explained(tiny, tmp_path):
    bare = shutil.copytree(tiny("ast"), tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    other = shutil.copytree(tiny("ast"), tmp_path / "other")
    shutil.copy(tiny("wav2vec2") / "preprocessor_config.json", other)
    for value in (tmp_path / "nowhere", tmp_path, bare, other, tiny("bert"), tiny("vit")):
        with pytest.raises(ModelError, match=r"features\.audio\.encoder: .*cannot be used: \S(.|\n)*log-mel") as caught:
            load(value)
        assert str(value) in str(caught.value)


@pytest.mark.parametrize("kind", AUDIO)
def test_bfloat16_is_near(tiny, kind, monkeypatch):
    encoder = load(tiny(kind))
    windows = sounds(RATES[kind] // 2, RATES[kind] // 2)
    exact = encoder.encode(windows)
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    with torch.backends.mkldnn.flags(enabled=False):  # oneDNN's grouped convolution is wrong in bfloat16 on some CPUs
        rounded = encoder.encode(windows)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05


def test_precision_of_the_device_is_part_of_the_spec(tiny, monkeypatch):
    spec = load(tiny("wav2vec2")).spec
    assert spec["precision"] == "float32"
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    assert load(tiny("wav2vec2")).spec == spec | {"precision": "bfloat16"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", AUDIO)
def test_cuda_is_near_the_cpu(tiny, kind):
    windows = sounds(RATES[kind] // 2, RATES[kind] // 2, RATES[kind] // 4)
    on_cpu, on_cuda = load(tiny(kind)), load(tiny(kind), device=torch.device("cuda"))
    assert on_cuda.spec == on_cpu.spec | {"precision": "bfloat16"}
    assert np.abs(on_cuda.encode(windows) - on_cpu.encode(windows)).max() < 0.05
