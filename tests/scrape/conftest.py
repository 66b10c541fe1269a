"""A misbehaving server, a clock that does not wait, and the stage on a corpus of a few films."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from PIL import Image

from pipeline.core.tables import PAGES, read_table
from pipeline.corpus.section import Corpus
from pipeline.scrape import client as client_module
from pipeline.scrape.client import Client
from pipeline.scrape.section import Scrape
from stages.scrape import main
from tests.faults import FaultServer, ok

CORPUS = Corpus(folder="corpus", serve=None, contact=None, search="ytsearch1:{title}", fields={})


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds > 0.0:
            self.slept.append(seconds)
        self.now += seconds


class Films:
    """Runs the stage below `root`; `picture` and `article` create responses of a site."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, scrape: Scrape, corpus: Corpus = CORPUS, **entries: Any) -> dict[str, dict[str, Any]]:
        """Write meta.json from entries of films or just URLs of pages, run the stage, and return its table by id."""
        self.start(scrape, corpus, **entries)
        return self.rows()

    def start(self, scrape: Scrape, corpus: Corpus = CORPUS, **entries: Any) -> None:
        """Do the same without reading the table."""
        meta = {
            fid: {"soundtrack": []} | ({"wikipedia": entry} if isinstance(entry, str) else entry)
            for fid, entry in entries.items()
        }
        folder = self.root / corpus.folder
        folder.mkdir(exist_ok=True)
        (folder / "meta.json").write_text(json.dumps(meta))
        main(self.root, corpus, scrape)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the table of the last run, by id."""
        return {row["fid"]: row for row in read_table(self.root / "data/pages.parquet", PAGES, "scrape")}

    def files(self) -> dict[str, bytes]:
        """Return the files below data/, by path."""
        paths = sorted(path for path in (self.root / "data").rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}


def picture(kind: str = "PNG", colour: tuple[int, int, int] = (200, 10, 10)) -> bytes:
    """Return a small image file."""
    data = io.BytesIO()
    Image.new("RGB", (30, 40), colour).save(data, kind)
    return data.getvalue()


def article(poster: str = "/poster", text: str = "Plot") -> str:
    """Return a page with a poster and the revision 4711."""
    link = f'<a href="/wiki/File:P.png" class="image"><img src="{poster}"></a>'
    infobox = f'<table class="infobox vevent"><tr><td colspan="2">{link}</td></tr></table>'
    return f'<html><script>{{"wgRevisionId":4711}}</script>{infobox}<p>{text} ø</p></html>'


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUNDTRACK_CONTACT", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server with answers set by the test."""
    with FaultServer() as server:
        yield server


@pytest.fixture
def remote(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function from a host name to an origin that `server` answers, so that it does not count as loopback."""
    create = urllib3.util.connection.create_connection

    def to_loopback(address: tuple[str, int], *rest: Any, **options: Any) -> Any:
        return create(("127.0.0.1", address[1]), *rest, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", to_loopback)
    return lambda host: server.origin.replace("127.0.0.1", host)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scrape() -> Scrape:
    return Scrape(
        requests_per_minute=60.0,
        attempts=3,
        timeout_seconds=10.0,
        max_wait_seconds=100.0,
        max_page_bytes=20_000,
        max_poster_bytes=20_000,
        poster_hosts=["upload.wikimedia.org"],
        refresh=False,
        min_success_rate=0.0,
    )


@pytest.fixture
def client(scrape: Scrape, clock: Clock) -> Iterator[Client]:
    """A client with a contact, whose pauses take no time and have no jitter."""
    with Client(scrape, "me@example.org", clock, clock.sleep, lambda: 0.0) as client:
        yield client


@pytest.fixture
def films(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Films:
    """The stage in an empty folder; the server has a picture at /poster."""
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.001)
    server.put("/poster", ok(picture(), "text/plain"))
    return Films(tmp_path)
