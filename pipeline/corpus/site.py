"""The corpus's own site on loopback, so that the embedded corpus goes through the same requests as the real web.

`/wiki/Title` answers with `site/wiki/Title.html`; any other path with the file of that name.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import PathLike
from pathlib import Path
from urllib.parse import unquote

from pipeline.core.errors import CorpusError
from pipeline.core.files import sha256_of
from pipeline.corpus.film import ORIGIN
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.title import article_address

MEDIA_TYPES = {".m4a": "audio/mp4", ".webm": "audio/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}


@dataclass(frozen=True)
class Site:
    """What a corpus serves: `origin` is `http://127.0.0.1:PORT`, or "" with no `folder` for the real web."""

    origin: str
    folder: Path | None

    def serves(self, url: str) -> bool:
        """Say whether `url` begins with `{origin}`."""
        return url.startswith(ORIGIN + "/")

    def address(self, url: str) -> str:
        """Return `url` with a leading `{origin}` replaced; raise `CorpusError` when nothing is served."""
        if not self.serves(url):
            return url
        if not self.origin:
            advice = "set corpus.serve in params.yaml to its folder, e.g. site"
            raise CorpusError(f"{url}: the corpus serves no site; {advice}")
        return self.origin + url.removeprefix(ORIGIN)

    def name(self, url: str) -> str:
        """Return `url` with the loopback origin written as `{origin}`, so that tables do not depend on the port."""
        served = self.origin and url.startswith(self.origin + "/")
        return ORIGIN + url.removeprefix(self.origin) if served else url

    def sha256(self, url: str) -> str | None:
        """Return the digest of what a `{origin}` URL leads to, read from the disk; None when it leads to no file."""
        if self.folder is None or not self.serves(url):
            return None
        try:
            return sha256_of(served_file(self.folder, url.removeprefix(ORIGIN)))
        except (OSError, ValueError):
            return None


def served_file(folder: Path, path: str) -> Path:
    """Return the file inside `folder` that a URL's path and query name; it need not exist."""
    path = article_address(path).partition("?")[0].partition("#")[0]
    path = unquote(path).replace("\0", "\ufffd")  # no file has a name with NUL
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if len(parts) > 1 and parts[0] == "wiki":  # a title may hold a slash: Face/Off
        parts[-1] += ".html"
    return folder.joinpath(*parts)


class _SiteHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # a small answer is one packet: headers apart wait 40 ms for the client's word
    extensions_map = SimpleHTTPRequestHandler.extensions_map | MEDIA_TYPES | {"": "text/html; charset=utf-8"}

    def translate_path(self, path: str) -> str:
        """Return the file for a URL's path."""
        return str(served_file(Path(self.directory), path)) + ("/" if path.endswith("/") else "")

    def handle(self) -> None:
        """Answer; a client that has seen enough may hang up."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        """Close; what is left to send finds the same client gone."""
        with contextlib.suppress(ConnectionError):
            super().finish()

    def list_directory(self, path: str | PathLike[str]) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the stages keep a row for each request."""


def site_folder(folder: Path, serve: str | None) -> Path | None:
    """Return the folder to serve for the corpus in `folder`; None when `serve` is None.

    A corpus in the reference's layout is served itself, whatever `serve` says. Raises `CorpusError` when there is no
    such folder.
    """
    place = reference_layout(folder)
    if place is not None:
        return place.resolve()
    if serve is None:
        return None
    site = (folder / serve).resolve()
    if not site.is_dir():
        raise CorpusError(f"corpus.serve: {site} is not a folder; name the folder to serve, or null for the real web")
    return site


@contextlib.contextmanager
def serving(folder: Path, serve: str | None) -> Iterator[Site]:
    """Serve the corpus's site during the block: `site_folder(folder, serve)`, nothing when that is None."""
    site = site_folder(folder, serve)
    if site is None:
        yield Site("", None)
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_SiteHandler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", site)
    finally:
        server.shutdown()
        server.server_close()
