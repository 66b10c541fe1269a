"""A server over a tiny world: seven films with hostile titles, their tracks as MP3, and own music."""

import io
import shutil
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests
import uvicorn
from fastapi import FastAPI
from PIL import Image

from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.trained import Trained
from pipeline.core.errors import MissingFileError
from pipeline.core.tables import DATASET, read_table, write_table
from pipeline.media.audio import write_mp3
from pipeline.params import Params
from pipeline.store.index import write_index
from tests.apps.recommend.asked_world import features_of, make_asked_world, train
from tests.apps.recommend.tracks import track

VARIANTS = {"Words": ["tags"], "Still": ["image"], "Pair": ["tags", "plot"], "Whole": ["tags_plot", "image"]}
HOSTILE = "<script>alert('title')</script> \"quoted\" & <b>"
RATE = 22050  # Hz
SEGMENTS = 3  # in the own file
OWN_INDEX = "own.parquet"
OWN_PEAKS = bytes(range(50, 250))


@dataclass(frozen=True)
class Own:
    """Own music: segments of one file, of one outside the folder, and of a missing one; indexed by one model."""

    folder: Path
    name: str = "own music"

    def index(self, model: Trained) -> TrackIndex:
        if model.name != "Words":
            raise MissingFileError(f"{self.folder.resolve()}/{model.name}.parquet is missing: run `index`")
        return open_index(self.folder.parent / OWN_INDEX, "run `index`")


def write_world(root: Path, params: Params, bert: Path, vit: Path) -> None:
    """Write data set, models and the audio of every track below `root`."""
    make_asked_world(root, params, ["image"], bert, vit)
    for name in ("Asked", "ImPlo"):  # written by make_asked_world
        shutil.rmtree(root / "models" / name)
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    for row in rows:
        row["url"], row["source_url"] = "javascript:alert('url')", "{origin}/audio/0.mp3"
        if row["fid"] == "AAD":
            row["title"], row["tags"] = HOSTILE, f"war dog {HOSTILE}"
        write_tone(root / row["path"], 2.0)
    write_table(root / "data/dataset.parquet", rows, DATASET)
    for name, inputs in VARIANTS.items():
        train(root, name, inputs, features_of(params, bert, vit))


def write_own(folder: Path) -> Own:
    """Write own music below `folder`, and a file next to it."""
    write_tone(folder / "music/album/long.mp3", 2.0 * SEGMENTS)
    write_tone(folder / "outside.mp3", 2.0)
    (folder / "music/notes.txt").write_text("no music")
    (folder / "music/link.mp3").symlink_to(folder / "outside.mp3")
    write_own_index(folder / OWN_INDEX)
    return Own(folder / "music")


def write_own_index(path: Path) -> None:
    """Write the index of own music; the segments of the existing file have its peaks."""
    known = {"fid": "", "film": "=1+1", "year": None, "artist": "@artist\n#EXTM3U", "title": "long\r\n#EXTINF:9,x"}
    tracks = [
        track(0, **known, path="album/long.mp3", file_start_seconds=2.0 * segment, seconds=2.0)
        | {"number": segment, "recording_seconds": 2.0 * SEGMENTS, "peaks": OWN_PEAKS}
        for segment in range(SEGMENTS)
    ]
    paths = ("../outside.mp3", "link.mp3", "gone.mp3", "album", "/etc/hostname", "zero\x00byte.mp3", "notes.txt")
    tracks += [track(0, **known, path=path) for path in paths]
    vectors = np.random.default_rng(0).normal(size=(len(tracks), 6))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    write_index(path, tracks, unit.astype(np.float32), {"variant": "Words"})


def write_tone(path: Path, seconds: float) -> None:
    """Write a tone as MP3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    write_mp3(path, (np.sin(2 * np.pi * 440 * times) * 8000).astype(np.int16), RATE, 32000)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve `app` on loopback; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def jpeg(width: int = 40, height: int = 50) -> bytes:
    """Return a picture as a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)).save(out, "JPEG")
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """Return a small PNG file whose header claims this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@dataclass(frozen=True)
class Client:
    """Sends requests to the API."""

    origin: str
    root: Path

    def get(self, path: str, **options: object) -> requests.Response:
        """Request `path` unchanged, including dots."""
        request = requests.Request("GET", self.origin, **options).prepare()
        request.url = self.origin + path
        with requests.Session() as session:
            return session.send(request, timeout=30)

    def recommend(self, image: bytes | None = None, **fields: object) -> requests.Response:
        """Send the form as multipart."""
        files = [(name, (None, str(value))) for name, values in fields.items() for value in _listed(values)]
        if image is not None:
            files.append(("image", ("picture.jpg", image, "image/jpeg")))
        return requests.post(f"{self.origin}/api/recommend", files=files or {"k": (None, "10")}, timeout=60)

    def answer(self, image: bytes | None = None, **fields: object) -> dict:
        """Return the answer to a form; it must succeed."""
        response = self.recommend(image, **fields)
        assert response.status_code == 200, response.text
        return response.json()


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until `condition` holds; fail after a timeout."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
