"""When the web may be asked again: two steady rates, of requests and of recordings, that all workers share.

Loopback is asked at any time: the embedded corpus is served from there.
"""

import ipaddress
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from pipeline.download.brake import Brake
from pipeline.download.section import Download


class Pace:
    """Keeps the times from which the next request and the next recording may be asked; `clock` gives seconds."""

    def __init__(self, settings: Download, brake: Brake, clock: Callable[[], float]) -> None:
        self._pauses = {"request": settings.request_pause_seconds, "recording": settings.video_pause_seconds}
        self._ready = dict.fromkeys(self._pauses, 0.0)
        self._brake = brake
        self._clock = clock
        self._lock = threading.Lock()

    def request(self, url: str) -> None:
        """Wait until the web may be asked once more; raise `Halted` when it refuses us meanwhile."""
        self._wait("request", url)

    def recording(self, url: str) -> None:
        """Wait until the next recording may be asked for; raise `Halted` when the web refuses us meanwhile."""
        self._wait("recording", url)

    def _wait(self, kind: str, url: str) -> None:
        if is_loopback(url):
            return
        with self._lock:  # a place in the queue; the waiting itself is done outside
            now = self._clock()
            start = max(now, self._ready[kind])
            self._ready[kind] = start + self._pauses[kind]
        self._brake.wait(start - now)


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
