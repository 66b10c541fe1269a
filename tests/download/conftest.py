"""A web server on loopback that misbehaves as told, and tones of known length in any container."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sections import Download

CODECS = {
    ".m4a": ("aac", 44100),
    ".webm": ("libopus", 48000),
    ".mp3": ("libmp3lame", 44100),
    ".ogg": ("libopus", 48000),
}


@dataclass
class Answer:
    """What a path gives: `cut` bytes of the body are sent, then the connection is closed."""

    body: bytes = b""
    status: int = 200
    kind: str = "audio/mpeg"
    cut: int | None = None
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


class Site:
    """The answers by path, the requests so far, and the address."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        self.origin = ""

    def put(self, path: str, **answer: object) -> str:
        """Let `path` give this answer; return its URL."""
        self.answers[path] = Answer(**answer)
        return self.origin + path


@pytest.fixture
def site() -> Iterator[Site]:
    """A running `Site`."""
    result = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            result.asked[self.path] += 1
            answer = result.answers.get(self.path, Answer(b"no", status=404, kind="text/html"))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            if answer.length:
                self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(answer.body[: answer.cut])
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    result.origin = f"http://127.0.0.1:{server.server_port}"
    yield result
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Return a function that gives the bytes of a tone of `seconds` in the container of `suffix`."""
    folder = tmp_path_factory.mktemp("tones")

    def make(suffix: str, seconds: float, hertz: float = 440.0, bit_rate: int = 128_000, **muxer: str) -> bytes:
        codec, rate = CODECS[suffix]
        path = folder / f"tone{suffix}"
        wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = rate
        with av.open(str(path), "w", options=muxer) as container:
            stream = container.add_stream(codec, rate=rate, layout="mono")
            stream.bit_rate = bit_rate
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()

    return make


@pytest.fixture
def settings() -> Download:
    """Parameters without pauses for long waits: a pause would show as a test that hangs."""
    return Download(
        workers=2,
        attempts=2,
        pause_seconds=60.0,
        timeout_seconds=2.0,
        max_bytes=1_000_000,
        max_seconds=60.0,
        min_success_rate=0.0,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root folder."""
    return tmp_path
