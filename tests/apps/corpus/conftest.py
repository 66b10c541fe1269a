"""The small wiki of tests/apps/corpus/small_wiki.py, and a repository for commands."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.apps.corpus.api import Api
from pipeline.params import Params
from pipeline.scrape.client import Client
from tests.apps.corpus.small_wiki import Wiki, serve_wiki

ROOT = Path(__file__).parents[3]


@pytest.fixture
def wiki() -> Iterator[Wiki]:
    with serve_wiki() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """The pauses in seconds between requests to the API; no test waits for them."""
    return []


@pytest.fixture
def api(wiki: Wiki, params: Params, pauses: list[float]) -> Iterator[Api]:
    with Client(replace(params.scrape, timeout_seconds=10.0), None, sleep=pauses.append, jitter=lambda: 0.0) as client:
        yield Api(wiki.origin, client, params.scrape, pauses.append)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that creates a repository root with changed `corpus` parameters and changes into it."""

    def make(**corpus: object) -> Path:
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load((ROOT / "params.yaml").read_text())
        params["corpus"] |= {"folder": "data/mine", "serve": None, "contact": None} | corpus
        (tmp_path / "params.yaml").write_text("")
        with (tmp_path / "params.yaml").open("w") as file:
            yaml.dump(params, file)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("SOUNDTRACK_CONTACT", raising=False)
        return tmp_path

    return make
