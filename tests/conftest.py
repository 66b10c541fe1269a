"""Shared by all tests: one thread for a fixed order of sums, parameters, tiny models, and no network."""

import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

from pipeline.params import Params, load_params
from tests.encoders.tiny import save_tiny
from tests.small_repository import Repository, build

pytest_plugins = ["tests.hub", "tests.skips"]

torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent
OUTSIDE = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "DVC_STAGE", "SOUNDTRACK_ENGINE", "RAY_ADDRESS")
for variable in OUTSIDE:  # those of the shell
    os.environ.pop(variable, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need the small repository as slow; with pytest-xdist, start with the files of slow tests."""
    for item in items:
        if "small_repository" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


class Scheduling(LoadFileScheduling):
    """Keeps each file's tests in one pytest-xdist process, and all tests of the small repository in a single one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "small_repository" if "small_repository" in (ROOT / file).read_text(encoding="utf-8") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Return the scheduler that distributes the tests, in the order of collection."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters of the repository."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(autouse=True)
def no_outside_store() -> Iterator[None]:
    """Clear any MLflow store, DVC experiment or cluster set by a test: fixtures of later modules would use it."""
    yield
    for name in OUTSIDE:
        os.environ.pop(name, None)


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test on any connection or name look-up; sockets between processes of this machine remain."""
    connect = socket.socket.connect

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a test asked for the network")

    def connect_or_refuse(local: socket.socket, address: Any) -> None:
        (connect if local.family == socket.AF_UNIX else refuse)(local, address)

    monkeypatch.setattr(socket.socket, "connect", connect_or_refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from a kind of tiny model to its folder; each is saved once."""
    return cache(lambda kind: save_tiny(kind, tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope="session")
def tiny_bert(tiny: Callable[[str], Path]) -> Path:
    """A folder as save_pretrained writes it: a random BertModel that takes 20 tokens, and its tokenizer."""
    return tiny("bert")


@pytest.fixture(scope="session")
def tiny_vit(tiny: Callable[[str], Path]) -> Path:
    """A folder as save_pretrained writes it: a random ViTModel for 32 px, and its preprocessor."""
    return tiny("vit")


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository of a dozen films in which every stage has run once; tests leave it unchanged."""
    return build(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that gives a folder an MLflow database without runs: creating its tables takes a second."""
    from mlflow import MlflowClient

    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{database}").search_experiments()

    def copy(folder: Path) -> Path:
        with closing(sqlite3.connect(database)) as made, closing(sqlite3.connect(folder / "mlflow.db")) as own:
            made.backup(own)
        return folder / "mlflow.db"

    return copy


@pytest.fixture
def own_store(tmp_path: Path, empty_store: Callable[[Path], Path]) -> None:
    """An MLflow database without runs in the test's folder."""
    empty_store(tmp_path)


@pytest.fixture
def path_of_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the import path after loading an MLflow model, which puts its copy of the code first."""
    monkeypatch.setattr(sys, "path", [*sys.path])
