"""Two models below one root, a folder of music, and its library; tests copy what they change."""

import shutil
from pathlib import Path

import pytest

from pipeline.apps.library import segments
from pipeline.apps.library.indexing import update_library
from pipeline.params import Params
from tests.apps.library.world import LIBRARY, VARIANTS, fill, small, train


@pytest.fixture(scope="session")
def settings(params: Params) -> Params:
    """Parameters for small sounds."""
    return small(params)


@pytest.fixture(scope="session")
def models_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with the models of `VARIANTS`."""
    root = tmp_path_factory.mktemp("models")
    for number, (variant, inputs) in enumerate(VARIANTS.items()):
        train(root, variant, inputs, number)
    return root


@pytest.fixture(scope="session")
def music_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `LIBRARY`."""
    return fill(tmp_path_factory.mktemp("made") / "Music", LIBRARY)


@pytest.fixture(scope="session")
def indexed_once(tmp_path_factory: pytest.TempPathFactory, models_made: Path, music_made: Path, settings: Params):
    """The library of that folder, from an uninterrupted run."""
    out = tmp_path_factory.mktemp("out") / "library"
    update_library(models_made, settings, music_made, out, None)
    return out


@pytest.fixture
def root(models_made: Path, tmp_path: Path) -> Path:
    """A copy of the root folder."""
    return shutil.copytree(models_made, tmp_path / "root")


@pytest.fixture
def folder(music_made: Path, tmp_path: Path) -> Path:
    """A copy of the music that keeps the file times."""
    return shutil.copytree(music_made, tmp_path / "Music")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files decoded from now on."""
    names: list[str] = []
    mono = segments.mono
    monkeypatch.setattr(segments, "mono", lambda path, rate: names.append(path.name) or mono(path, rate))
    return names
