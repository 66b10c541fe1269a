"""Tones of known length in any container, a misbehaving web server, and runs without pauses."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from yt_dlp import YoutubeDL
from yt_dlp.extractor.generic import GenericIE
from yt_dlp.extractor.genericembeds import HTML5MediaEmbedIE
from yt_dlp.utils import DownloadError, ExtractorError

from pipeline.corpus.site import Site
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.client import _Downloader
from pipeline.download.lock import Lock
from pipeline.download.recordings import Outcome, fetch_all
from pipeline.download.rows import Request
from pipeline.download.section import Download
from tests.faults import FaultServer, ok

WATCH = "https://www.youtube.com/watch?v="
CODECS = {
    ".m4a": ("aac", 44100),
    ".webm": ("libopus", 48000),
    ".mp3": ("libmp3lame", 44100),
    ".ogg": ("libopus", 48000),
    ".wav": ("pcm_s16le", 44100),
}


class QuickBreaker(CircuitBreaker):
    """A breaker whose pauses take no time; `pauses` are the requested seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


class Fetch:
    """Fetches the soundtrack of film AAA below `root`; each call is a separate run."""

    def __init__(self, root: Path, settings: Download) -> None:
        self.root = root
        self.settings = settings
        self.breaker = QuickBreaker()

    def run(self, *urls: str, **changes: object) -> Outcome:
        self.breaker = QuickBreaker()
        items = [Request("AAA", number, url, None, url, "") for number, url in enumerate(urls)]
        settings = dataclasses.replace(self.settings, **changes)
        return fetch_all(
            self.root, items, Site("", None), settings, Lock(self.root, self.root / "corpus"), self.breaker
        )

    def __call__(self, *urls: str, **changes: object) -> list[dict]:
        return self.run(*urls, **changes).rows


@pytest.fixture
def fetch(root: Path, settings: Download, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Return a `Fetch` with only yt-dlp's generic extractors, as creating all 1,700 takes 0.1 s per worker."""

    def add_two(ydl: YoutubeDL) -> None:
        for extractor in (HTML5MediaEmbedIE, GenericIE):
            ydl.add_info_extractor(extractor())

    monkeypatch.setattr(YoutubeDL, "add_default_info_extractors", add_two)
    return Fetch(root, settings)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A running `FaultServer`."""
    with FaultServer() as running:
        yield running


class Web:
    """yt-dlp's results by URL, instead of the web; `asked` counts the URLs."""

    def __init__(self, server: FaultServer, song: bytes) -> None:
        self.found: dict[str, dict | Exception] = {}
        self.asked: Counter[str] = Counter()
        self._server = server
        self._song = song

    def recording(self, identity: str, **changes: object) -> str:
        """Add a YouTube video, transferred from loopback; return its URL."""
        url = self._server.put(f"/{identity}", ok(self._song, "audio/webm"))
        info = {"id": identity, "title": f"Video {identity}", "webpage_url": WATCH + identity, "ext": "webm"}
        info |= {"url": url, "protocol": "https", "format_id": "251", "extractor": "youtube", "duration": 1}
        self.found[WATCH + identity] = info | changes
        return WATCH + identity

    def says(self, identity: str, message: str, expected: bool = True) -> str:
        """Add a YouTube video for which yt-dlp raises this message; return its URL."""
        error = ExtractorError(message, expected=expected, video_id=identity, ie="youtube")
        self.found[WATCH + identity] = DownloadError(f"ERROR: {error}", (ExtractorError, error, None))
        return WATCH + identity


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, server: FaultServer, tone: Callable[..., bytes]) -> Web:
    """A `Web` that replaces the real one."""
    result = Web(server, tone(".webm", 1.0))

    def extract_info(downloader: YoutubeDL, url: str, download: bool) -> dict:
        result.asked[url] += 1
        answer = result.found[url]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_Downloader, "extract_info", extract_info)
    monkeypatch.setattr("pipeline.download.reach.Reach.require", lambda *_: None)  # the transfers are from loopback
    return result


@pytest.fixture
def asked(server: FaultServer) -> Callable[[], Counter[str]]:
    """Return a function that returns the number of requests by path since its last call."""

    def take() -> Counter[str]:
        paths = Counter(server.paths())
        server.forget()
        return paths

    return take


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Return a function that returns the bytes of a tone of `seconds` in the container of `suffix`."""
    folder = tmp_path_factory.mktemp("tones")

    def make(suffix: str, seconds: float, hertz: float = 440.0, bit_rate: int = 128_000, **muxer: str) -> bytes:
        codec, rate = CODECS[suffix]
        path = folder / f"tone{suffix}"
        wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
        samples = (wave * 32767).astype(np.int16) if suffix == ".wav" else wave.astype(np.float32)
        kind = "s16" if suffix == ".wav" else "flt"
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format=kind, layout="mono")
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
    """Parameters with pauses so long that tests would hang if loopback were not exempt."""
    return Download(
        workers=1,
        attempts=2,
        request_pause_seconds=60.0,
        video_pause_seconds=60.0,
        timeout_seconds=2.0,
        max_bytes=1_000_000,
        max_seconds=60.0,
        max_entries=5,
        cookies=None,
        retry=None,
        min_success_rate=0.0,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root folder."""
    return tmp_path
