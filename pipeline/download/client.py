"""The yt-dlp client: looks a URL up, then saves its best audio under our file name.

It converts nothing, runs no programs, reads no configuration or plugins and caches nothing. Requests go only to the
web, as far as `pipeline.download.reach` allows; `file://` is refused. Of a list, only the URLs are used.
"""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yt_dlp import YoutubeDL
from yt_dlp.globals import plugin_dirs
from yt_dlp.networking.common import RequestDirector, Response
from yt_dlp.networking.exceptions import HTTPError, TransportError

from pipeline.core.errors import StageError
from pipeline.core.web import FetchError, Pace, is_loopback
from pipeline.download.answers import is_live, is_search
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.failures import LIVE, meaning
from pipeline.download.reach import GuardedRH, Reach
from pipeline.download.section import Download

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 50_000_000  # of a page; YouTube's have 3,000,000
PROTOCOLS = ("http", "https", "m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator")
NOWHERE = "/nonexistent/ffmpeg"  # an external program could open any URL in a manifest


class Client:
    """One `YoutubeDL` object; create and use it in one thread only."""

    def __init__(self, settings: Download, pace: Pace, breaker: CircuitBreaker, cookies: str | None) -> None:
        """`cookies` is the text of a cookies.txt, or None."""
        plugin_dirs.value = []
        self._settings = settings
        self._breaker = breaker
        self.reach = Reach()
        self._ydl = _Downloader(
            {
                "format": "bestaudio/best",
                "noplaylist": True,  # for a video in a playlist, the video
                "extract_flat": "in_playlist",
                "cachedir": False,
                "cookiefile": None if cookies is None else io.StringIO(cookies),
                "geo_bypass": False,  # no faked client addresses
                "external_downloader": "native",
                "ffmpeg_location": NOWHERE,
                "skip_unavailable_fragments": False,
                "progress_hooks": [self._check_transfer],
                "socket_timeout": settings.timeout_seconds,
                "retries": 0,  # attempts are counted here
                "extractor_retries": 0,
                "fragment_retries": settings.attempts,
                "updatetime": False,
                "quiet": True,
                "noprogress": True,
                "color": "never",
                "logger": _Quiet(),
            },
            pace,
            breaker,
            self.reach,
        )

    def look_up(self, url: str) -> dict[str, Any]:
        """Return yt-dlp's description of a recording or a list; raise `FetchError` if there is none."""
        # A search has its own limit.
        self._ydl.params["playlistend"] = None if is_search(url) else self._settings.max_entries
        with _failures_as_rows(), self._ydl.looking_up(url):
            info = self._ydl.extract_info(url, download=False)
        if not info:
            raise FetchError("gone", "nothing was found")
        if is_live(info):
            raise FetchError("skipped", "a live stream, or one that has not begun", LIVE)
        return info

    def save(self, info: dict[str, Any], path: Path) -> None:
        """Download the recording described by `look_up` to `path`; resumes an earlier attempt."""
        if info.get("protocol") not in PROTOCOLS:
            raise FetchError("skipped", f"not on the web: the protocol is {info.get('protocol')}")
        if (info.get("filesize") or 0) > self._settings.max_bytes:
            raise self._too_large(info["filesize"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with _failures_as_rows():
            complete, _ = self._ydl.dl(str(path), info)
        if not complete:
            raise FetchError("transient", "yt-dlp did not complete the download")

    def close(self) -> None:
        """Close the connections."""
        self._ydl.close()

    def _check_transfer(self, progress: dict[str, Any]) -> None:
        self._breaker.require_run()
        size = max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0)  # the total may be unknown
        if size > self._settings.max_bytes:
            raise self._too_large(size)

    def _too_large(self, size: int) -> FetchError:
        reason = f"more than download.max_bytes ({self._settings.max_bytes})"
        return FetchError("skipped", reason, {"max_bytes": float(size)})


class _Downloader(YoutubeDL):
    """A `YoutubeDL` that is rate-limited and reads bounded pages during a look-up."""

    def __init__(self, params: dict[str, Any], pace: Pace, breaker: CircuitBreaker, reach: Reach) -> None:
        self._pace = pace
        self._breaker = breaker
        self._reach = reach
        self._looked_up = ""
        super().__init__(params)

    @contextmanager
    def looking_up(self, url: str) -> Iterator[None]:
        """Apply the rate limit in the block; not to transfers, which may have a thousand fragments."""
        self._looked_up = url
        try:
            yield
        finally:
            self._looked_up = ""

    def urlopen(self, req: Any) -> Response:
        """Return the response to a request."""
        url = req if isinstance(req, str) else req.url
        self._reach.require_web(url)
        if not self._looked_up:
            return super().urlopen(req)
        self._pace.wait("request", url)
        try:
            response = super().urlopen(req)
        except HTTPError as error:
            self._breaker.reached()
            error.response.read = _limited(error.response.read)
            raise
        except TransportError as error:
            if not is_loopback(url):
                reason = f"no connection to {urlsplit(url).hostname} ({type(error.cause or error).__name__})"
                self._breaker.unreached(reason, self._looked_up)
            raise
        self._breaker.reached()
        response.read = _limited(response.read)
        return response

    def build_request_director(self, handlers: Any, preferences: Any = None) -> RequestDirector:
        """Return a director with one handler: others would connect to any address, and support FTP."""
        return super().build_request_director([partial(GuardedRH, reach=self._reach)], preferences)


class _Quiet:
    """Sends yt-dlp's messages to the debug log; its errors are raised as exceptions."""

    def debug(self, message: str) -> None:
        log.debug("%s", message)

    info = warning = error = debug


@contextmanager
def _failures_as_rows() -> Iterator[None]:
    try:
        yield
    except (FetchError, StageError):  # raised by our own hooks or the pace
        raise
    except Exception as error:  # extractors read untrusted data, and may raise anything
        raise meaning(error) from error


def _limited(read: Callable[..., bytes]) -> Callable[..., bytes]:
    def limited(amount: int | None = None) -> bytes:
        data = read(MAX_ANSWER_BYTES if amount is None else amount)
        if amount is None and len(data) == MAX_ANSWER_BYTES:
            raise FetchError("skipped", f"a page of more than {MAX_ANSWER_BYTES} bytes")
        return data

    return limited
