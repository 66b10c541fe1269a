"""A server over music that was never indexed: some files, one of them twice, one of them invalid."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from pipeline.apps.library.background import Background
from pipeline.apps.library.opening import sources_of, updater
from pipeline.apps.recommend.recommender import open_recommender
from pipeline.apps.web.app import create_app
from pipeline.encoders.log_mel import LogMel
from pipeline.model.store import build_model, model_config, save_model
from pipeline.params import Params
from tests.apps.library.world import SMALL, WINDOW_STEPS, fill, small
from tests.apps.web.small_site import serving, until
from tests.features.small import AUDIO

MUSIC = {"Dawn/storm.mp3": (1, 6.0), "Dawn/calm.mp3": (2, 6.0), "fire.mp3": (3, 5.5)}


@dataclass
class World:
    """A server with music whose indexing waits for `go`."""

    origin: str
    music: Path
    background: Background
    go: threading.Event

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.origin}/api/{path}", timeout=30)

    def begin(self, name: str = "Music", headers: dict[str, str] | None = None, **body: object) -> requests.Response:
        url = f"{self.origin}/api/libraries/{name}/indexing"
        return requests.post(url, json=body, timeout=30, headers=headers)

    def state(self) -> dict:
        return self.get("libraries/Music/indexing").json()

    def until_done(self) -> dict:
        self.go.set()
        until(lambda: self.state()["state"] in ("done", "failed"))
        return self.state()


def train(root: Path, like: Path) -> None:
    """Write an untrained model of spectrograms that reads texts like the one in the folder `like`."""
    features = json.loads((like / "config.json").read_text())["features"]
    features["audio"] = LogMel(AUDIO).spec | {"width": AUDIO.n_mels}
    config = model_config("Words", ["tags"], SMALL, features, WINDOW_STEPS)
    save_model(root / "models/Words", build_model(config), config)


@contextmanager
def indexing_site(root: Path, params: Params, like: Path) -> Iterator[World]:
    """Serve what is made below `root`, with a model that reads texts like the one in the folder `like`."""
    train(root, like)
    music = fill(root / "Music", MUSIC)
    shutil.copy(music / "fire.mp3", music / "again.mp3")
    (music / "=broken.mp3").write_text("no music")
    recommender = open_recommender(root, params)
    go = threading.Event()
    update = updater(root, small(params))

    def waiting(source, rescan, report):
        assert go.wait(30)
        return update(source, rescan, report)

    background = Background(recommender, waiting, sources_of(recommender, root, [music]))
    with serving(create_app(recommender, params.recommend, root, background=background)) as origin:
        yield World(origin, music, background, go)
