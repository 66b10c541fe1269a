"""The corpus's own site on loopback: the embedded corpus is fetched by the same requests as the real web.

`/wiki/Title` returns `site/wiki/Title.html`; any other path the file of that name.
"""

import contextlib
import string
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import PathLike
from pathlib import Path
from urllib.parse import quote, unquote

from pipeline.core.errors import CorpusError
from pipeline.core.files import sha256_of
from pipeline.corpus.film import ORIGIN
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.title import article_address

READABLE = string.punctuation.replace("%", "")  # in the reason of a response
MEDIA_TYPES = {".m4a": "audio/mp4", ".webm": "audio/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}


@dataclass(frozen=True)
class Site:
    """The served site: `origin` is `http://127.0.0.1:PORT`; for the real web "", with `folder` None."""

    origin: str
    folder: Path | None

    def serves(self, url: str) -> bool:
        """Return whether `url` begins with `{origin}`."""
        return url.startswith(ORIGIN + "/")

    def address(self, url: str) -> str:
        """Return `url` with a leading `{origin}` replaced; raise `CorpusError` if nothing is served."""
        if not self.serves(url):
            return url
        if not self.origin:
            advice = "set corpus.serve in params.yaml to its folder, e.g. site"
            raise CorpusError(f"{url}: the corpus has no site; {advice}")
        return self.origin + url.removeprefix(ORIGIN)

    def name(self, url: str) -> str:
        """Return `url` with the loopback origin replaced by `{origin}`: tables do not depend on the port."""
        served = self.origin and url.startswith(self.origin + "/")
        return ORIGIN + url.removeprefix(self.origin) if served else url

    def sha256(self, url: str) -> str | None:
        """Return the digest of the file of a `{origin}` URL, read from disk; None if there is no file."""
        if self.folder is None or not self.serves(url):
            return None
        try:
            return sha256_of(served_file(self.folder, url.removeprefix(ORIGIN)))
        except (OSError, ValueError):
            return None


def served_file(folder: Path, path: str) -> Path:
    """Return the file in `folder` of a URL's path and query, existing or not."""
    path = article_address(path).partition("?")[0].partition("#")[0]
    path = unquote(path).replace("\0", "\ufffd")  # NUL is not allowed in file names
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if len(parts) > 1 and parts[0] == "wiki":  # a title may contain a slash: Face/Off
        parts[-1] += ".html"
    return folder.joinpath(*parts)


class _SiteHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # small responses in one packet: separate headers wait 40 ms for an acknowledgement
    extensions_map = SimpleHTTPRequestHandler.extensions_map | MEDIA_TYPES | {"": "text/html; charset=utf-8"}

    def translate_path(self, path: str) -> str:
        """Return the file for a URL's path."""
        return str(served_file(Path(self.directory), path)) + ("/" if path.endswith("/") else "")

    def handle(self) -> None:
        """Handle requests; the client may close the connection early."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        """Close; sending the rest fails if the client has left."""
        with contextlib.suppress(ConnectionError):
            super().finish()

    def send_header(self, keyword: str, value: str) -> None:
        """Send a header, except the date of a file, which is that of the working copy's checkout."""
        if keyword != "Last-Modified":
            super().send_header(keyword, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error; for a missing file, its path in the site is the reason, in ASCII."""
        if code == HTTPStatus.NOT_FOUND:
            folder = Path(self.directory)
            path = served_file(folder, self.path).relative_to(folder).as_posix()
            message = f"Not Found: no file {quote(path, safe=READABLE)} in the corpus's site"
        super().send_error(code, message, explain)

    def list_directory(self, path: str | PathLike[str]) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the stages have a row per request."""


def site_folder(folder: Path, serve: str | None) -> Path | None:
    """Return the folder to serve for the corpus in `folder`; None if `serve` is None.

    For a corpus in the reference's layout it is the corpus itself, for any `serve`. Raises `CorpusError` if the folder
    does not exist.
    """
    place = reference_layout(folder)
    if place is not None:
        return place.resolve()
    if serve is None:
        return None
    site = (folder / serve).resolve()
    if not site.is_dir():
        raise CorpusError(
            f"corpus.serve: {site} is not a folder; set it to a folder to serve, or null for the real web"
        )
    return site


@contextlib.contextmanager
def serving(folder: Path, serve: str | None) -> Iterator[Site]:
    """Serve `site_folder(folder, serve)` during the block; nothing if that is None."""
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
