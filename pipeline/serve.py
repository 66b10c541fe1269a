"""The corpus's own site on loopback, so that the embedded corpus goes through the same requests as the real web.

`/wiki/Title` answers with `site/wiki/Title.html`; any other path with the file of that name.
"""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pipeline.corpus import ORIGIN
from pipeline.errors import CorpusError

MEDIA_TYPES = {".m4a": "audio/mp4", ".webm": "audio/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}


class _SiteHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | MEDIA_TYPES | {"": "text/html; charset=utf-8"}

    def translate_path(self, path: str) -> str:
        """Return the file for a URL path; the base class keeps it inside the served folder."""
        name = super().translate_path(path)
        folders = Path(name).relative_to(self.directory).parts[:-1]
        return name + ".html" if folders[:1] == ("wiki",) else name  # a title may hold a slash: Face/Off

    def handle(self) -> None:
        """Answer; a client that has seen enough may hang up."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def list_directory(self, path: str) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the stages keep a row for each request."""


@contextlib.contextmanager
def serving(folder: Path, serve: str | None) -> Iterator[str]:
    """Serve `folder/serve` during the block and yield the origin, `http://127.0.0.1:PORT`; "" when `serve` is None."""
    if serve is None:
        yield ""
        return
    site = (folder / serve).resolve()
    if not site.is_dir():
        raise CorpusError(f"corpus.serve: {site} is not a folder; name the folder to serve, or null for the real web")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_SiteHandler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def with_origin(url: str, origin: str) -> str:
    """Return `url` with a leading `{origin}` replaced; raise `CorpusError` when nothing is served."""
    if not url.startswith(ORIGIN):
        return url
    if not origin:
        raise CorpusError(f"{url}: the corpus serves no site; set corpus.serve in params.yaml to its folder, e.g. site")
    return origin + url.removeprefix(ORIGIN)


def without_origin(url: str, origin: str) -> str:
    """Return `url` with the loopback origin written as `{origin}`, so that tables do not depend on the port."""
    return ORIGIN + url.removeprefix(origin) if origin and url.startswith(origin + "/") else url
