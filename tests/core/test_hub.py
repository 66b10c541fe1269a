"""Models of the hub: addresses, lists of files, and fetching from the hub, from the cache, and without either."""

import socket
import threading

import pytest
from huggingface_hub import constants

from pipeline.core import hub as hubs
from pipeline.core.errors import HubError
from pipeline.core.hub import Address, explained, fetch, files_of, hub_address
from tests.hub import NOBODY, point_to

MODEL = Address("someone/model")
FILES = {"a.json": b"{}", "b/c [1].txt": b"hello", "d.bin": b"0" * 1000}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://someone/model", MODEL),
        ("hf://someone/model@v1.0", Address("someone/model", "v1.0")),
        ("hf://models/someone/model@refs/pr/3", Address("someone/model", "refs/pr/3")),
    ],
)
def test_address(text, address):
    assert hub_address(text) == address
    assert hub_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "someone/model",
        "hf://",
        "hf://model",
        "hf://someone/model/file.bin",
        "hf://someone/model@",
        "hf://someone/model@..%2F..%2Fmain",
        "hf://../model",
        "hf://datasets/someone/data",
        "https://huggingface.co/someone/model",
    ],
)
def test_an_invalid_address_is_refused_with_a_valid_example(text):
    with pytest.raises(HubError, match=r"hf://OWNER/REPO@REVISION") as caught:
        hub_address(text)
    assert repr(text) in str(caught.value)


def test_only_requested_files_are_fetched_with_their_bytes(hub):
    commit = hub.add("someone/model", FILES)
    assert files_of(MODEL) == {name: len(data) for name, data in FILES.items()}
    folder = fetch(MODEL, ["b/c [1].txt", "a.json"])
    assert folder.name == commit
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "b/c [1].txt",
        "a.json",
    }
    assert (folder / "b/c [1].txt").read_bytes() == b"hello"


def test_a_revision_is_another_commit(hub):
    first = hub.add("someone/model", {"a": b"old"})
    hub.add("someone/model", {"a": b"newer", "b": b""})
    old = Address("someone/model", first)
    assert files_of(old) == {"a": 3}
    assert (fetch(old, ["a"]) / "a").read_bytes() == b"old"
    assert (fetch(MODEL, ["a"]) / "a").read_bytes() == b"newer"
    with pytest.raises(HubError, match="not a branch, tag or commit"):
        files_of(Address("someone/model", "v9"))


def test_a_missing_file_of_a_model_is_named(hub):
    hub.add("someone/model", FILES)
    with pytest.raises(HubError, match=r"no file 'e\.bin'"):
        fetch(MODEL, ["a.json", "e.bin"])


@pytest.mark.parametrize("trouble", ["unreached", "offline", "broken", "gated"])
def test_an_unreachable_hub_is_replaced_by_the_cache(hub, monkeypatch, trouble):
    hub.add("someone/model", FILES)
    folder = fetch(MODEL, ["a.json"])
    if trouble == "unreached":
        point_to(monkeypatch, NOBODY)
    elif trouble == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif trouble == "gated":
        hub.gated.add("someone/model")
    else:
        hub.answers["/api/models/someone/model"] = 503
    assert files_of(MODEL) == {"a.json": 2}
    assert fetch(MODEL, ["a.json"]) == folder
    with pytest.raises(HubError):
        fetch(MODEL, ["a.json", "d.bin"])
    with pytest.raises(HubError):
        files_of(Address("someone/else"))


def test_an_unwritable_cache_is_not_an_unreachable_hub(hub, monkeypatch, tmp_path):
    hub.add("someone/model", FILES)
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(HubError, match=r"hf://someone/model cannot be read or written: .*file/cache.*: Not a"):
        fetch(MODEL, ["a.json"])


def test_each_failure_has_its_reason(hub, monkeypatch):
    hub.add("someone/model", FILES)
    hub.gated.add("someone/gated")
    hub.answers |= {"/api/models/a/broken": 502, "/api/models/a/refused": 401}
    reasons = {"someone/gated": "sign in", "no/such": "is not a model", "a/broken": "502", "a/refused": "HF_TOKEN"}
    for name, reason in reasons.items():
        with pytest.raises(HubError, match=f"hf://{name} .*{reason}"):
            files_of(Address(name))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        files_of(MODEL)
    with pytest.raises(ValueError, match="wrong"), explained(MODEL):
        raise ValueError("wrong")


def test_every_step_of_a_request_has_a_time_limit(hub, monkeypatch):
    hub.add("someone/model", FILES)
    files_of(MODEL)
    monkeypatch.setattr(hubs, "ANSWER_SECONDS", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ending = threading.Timer(10, silent.close)  # for calls that would wait forever
        ending.start()
        point_to(monkeypatch, silent.getsockname()[1])
        with pytest.raises(HubError, match=r"ReadTimeout"), explained(MODEL):
            hubs.hub().repo_info(MODEL.repository)
        ending.cancel()
