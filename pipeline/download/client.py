"""yt-dlp as we use it: look a URL up, then save its best audio under a name of ours.

Nothing is converted, no configuration is read, nothing is cached, and `file://` stays refused. Of a playlist, or of a
search that finds several, the first entry is taken.
"""

import logging
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from pipeline.download.failures import FetchError, meaning
from pipeline.sections import Download

log = logging.getLogger(__name__)

TROUBLE = (YoutubeDLError, OSError, UnicodeError)  # the last for a host that is no domain name
LIVE = ("is_live", "is_upcoming", "post_live")  # values of yt-dlp's `live_status`


class Client:
    """One `YoutubeDL` object: use it in one thread only."""

    def __init__(self, settings: Download) -> None:
        self._settings = settings
        self._ydl = YoutubeDL(
            {
                "format": "bestaudio/best",
                "noplaylist": True,  # of a video inside a playlist, the video
                "playlist_items": "1",
                "cachedir": False,
                "geo_bypass": False,  # no made-up sender addresses
                "hls_prefer_native": True,
                "skip_unavailable_fragments": False,
                "max_filesize": settings.max_bytes,
                "progress_hooks": [self._refuse_large],
                "socket_timeout": settings.timeout_seconds,
                "retries": 0,  # attempts are counted by us
                "extractor_retries": 0,
                "fragment_retries": settings.attempts,
                "updatetime": False,
                "quiet": True,
                "noprogress": True,
                "color": "never",
                "logger": _Quiet(),
            }
        )

    def look_up(self, url: str) -> dict[str, Any]:
        """Return yt-dlp's description of the recording; raise `FetchError` when it is not to be downloaded."""
        try:
            info = self._ydl.extract_info(url, download=False)
        except TROUBLE as error:
            raise meaning(error) from error
        while info and info.get("_type", "video") != "video":
            info = next((entry for entry in info.get("entries") or () if entry), None)
        if not info:
            raise FetchError("gone", "nothing was found there")
        if info.get("is_live") or info.get("live_status") in LIVE:
            raise FetchError("live", "a live stream")
        return info

    def save(self, info: dict[str, Any], path: Path) -> None:
        """Download what `look_up` described to `path`, going on with what an earlier attempt left beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            complete, _ = self._ydl.dl(str(path), info)
        except TROUBLE as error:
            raise meaning(error) from error
        if not complete:  # the one case in which yt-dlp neither downloads nor raises
            raise self._too_large()

    def close(self) -> None:
        """Close the connections."""
        self._ydl.close()

    def _refuse_large(self, progress: dict[str, Any]) -> None:
        if (progress.get("downloaded_bytes") or 0) > self._settings.max_bytes:  # servers need not state a size
            raise self._too_large()

    def _too_large(self) -> FetchError:
        return FetchError("too_large", f"more than download.max_bytes ({self._settings.max_bytes})")


class _Quiet:
    """Sends what yt-dlp says to the debug log: its errors arrive as exceptions."""

    def debug(self, message: str) -> None:
        log.debug("%s", message)

    info = warning = error = debug
