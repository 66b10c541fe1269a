"""Asking other hosts: which site a URL belongs to, when it may be asked again, and why nothing usable came back."""

import ipaddress
import logging
import re
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
PLAIN = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")  # HTTP libraries differ on the rest
LONG_PAUSE_SECONDS = 60.0  # worth a line in the log, when a host asked for it

log = logging.getLogger(__name__)


class FetchError(Exception):
    """Nothing usable came back: `status` is the word for the row, `reason` the sentence.

    `needs` names the parameters that would have to change for another attempt, with the least value of each;
    `redirects` holds the URLs that had led on before.
    """

    def __init__(self, status: str, reason: str, needs: dict[str, float] | None = None) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
        self.needs = needs
        self.redirects: tuple[str, ...] = ()


class Pace:
    """Steady rates that all threads share, and pauses that single hosts asked for.

    `intervals` gives the seconds between two requests of each kind, over all hosts. Loopback, from which the embedded
    corpus is served, is asked without them. `clock` gives seconds that never go back; `sleep` is called with the
    seconds to wait, 0 included, and may raise.
    """

    def __init__(
        self, intervals: Mapping[str, float], clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._intervals = dict(intervals)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._ready = dict.fromkeys(self._intervals, float("-inf"))
        self._ready_of: dict[str, float] = {}  # by site

    def wait(self, kind: str, url: str) -> None:
        """Sleep until `url` may be asked for, and count the request of this kind that follows."""
        limited = not is_loopback(url)
        with self._lock:  # takes a place in the queue; the waiting itself is done outside
            now = self._clock()
            postponed = self._ready_of.get(_site(url), now)
            start = max(now, postponed, self._ready[kind] if limited else now)
            if limited:
                self._ready[kind] = start + self._intervals[kind]
        if postponed - now > LONG_PAUSE_SECONDS:
            log.info("%s is left alone for %.0f s", _site(url), postponed - now)
        if limited or start > now:
            self._sleep(start - now)

    def postpone(self, url: str, seconds: float) -> None:
        """Leave the host of `url` alone for at least `seconds` from now."""
        site = _site(url)
        with self._lock:
            self._ready_of[site] = max(self._ready_of.get(site, float("-inf")), self._clock() + seconds)


def site_of(url: str) -> str:
    """Return `host` of an http or https URL, or `host:port` where the port is not the scheme's own.

    Raises `ValueError` for another URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("it is neither http nor https")
    if not PLAIN.fullmatch(parts.netloc):
        raise ValueError("it names no plain host")
    port = parts.port
    return f"{parts.hostname}:{port}" if port not in (None, PORTS[parts.scheme]) else str(parts.hostname)


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _site(url: str) -> str:
    """Return the site, or "" of what has none, such as a search."""
    try:
        return site_of(url)
    except ValueError:
        return ""
