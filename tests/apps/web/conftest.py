"""One server for all tests of the page and the API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.apps.recommend.recommender import Recommender, open_recommender
from pipeline.apps.web.app import create_app
from pipeline.params import Params
from tests.apps.web.small_site import Client, serving, write_own, write_world


@pytest.fixture(scope="session")
def site_root(tmp_path_factory: pytest.TempPathFactory, params: Params, tiny_bert: Path, tiny_vit: Path) -> Path:
    """A root folder with trained models, tracks and posters, and a folder of music beside it."""
    root = tmp_path_factory.mktemp("site") / "root"
    write_world(root, params, tiny_bert, tiny_vit)
    return root


@pytest.fixture(scope="session")
def site_recommender(site_root: Path, params: Params) -> Recommender:
    """The engine over that folder, with two libraries."""
    recommender = open_recommender(site_root, params)
    own = write_own(site_root.parent)
    recommender.libraries[own.name] = own
    return recommender


@pytest.fixture(scope="session")
def client(site_root: Path, site_recommender: Recommender, params: Params) -> Iterator[Client]:
    """A client of the server."""
    with serving(create_app(site_recommender, params.recommend, site_root)) as origin:
        yield Client(origin, site_root)
