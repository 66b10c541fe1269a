"""Checkpoints in the published form with small encoders, and a folder to import them in. No network."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.__main__ import main
from tests.apps.checkpoint.reference import IMAGE_CONFIG, TEXT_CONFIG, random_state, write_config

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> None:
    """Make every connection and name look-up fail a test without a hub on loopback."""
    if "hub" not in request.fixturenames:
        request.getfixturevalue("without_network")


@pytest.fixture(scope="session")
def state_of() -> Callable[..., dict[str, torch.Tensor]]:
    """Return a cached function that returns the state dict for a query of some kinds; it must not be changed."""
    return cache(random_state)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory: parameters, presets, and the configurations of the encoders in `text` and `image`."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    write_config(tmp_path / "text", TEXT_CONFIG)
    write_config(tmp_path / "image", IMAGE_CONFIG)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path)  # tens of megabytes per test


@pytest.fixture
def import_state(work: Path) -> Callable[..., int]:
    """Return a function that saves a state dict in the published form and runs the command on it."""

    def run(state: dict[str, torch.Tensor], variant: str, *options: str) -> int:
        torch.save({"epoch": 7, "state_dict": state, "optimizer": {}, "best_loss": 1.25}, work / "saved.pth")
        return import_file(work / "saved.pth", variant, *options)

    return run


def import_file(path: Path, variant: str, *options: Any) -> int:
    """Run the command; return its exit status."""
    own = ["--variant", variant, "--text", "text", "--image", "image"]
    return main(["import-reference", str(path), *own, *map(str, options)])


@pytest.fixture
def refused(import_state: Callable[..., int], capsys: pytest.CaptureFixture) -> Iterator[Callable[..., str]]:
    """Return a function that returns the error of importing a state dict, which must write nothing."""

    def run(state: dict[str, torch.Tensor], variant: str, *options: str) -> str:
        assert import_state(state, variant, *options) == 1
        assert not Path("models").exists()
        return capsys.readouterr().err

    return run
