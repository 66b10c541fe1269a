"""Requests to other hosts: the site of a URL, the pace of requests, and errors."""

import ipaddress
import logging
import re
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
PLAIN = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")  # HTTP libraries differ on other forms
LONG_PAUSE_SECONDS = 60.0  # longer pauses requested by a host are logged

log = logging.getLogger(__name__)


class FetchError(Exception):
    """A fetch failed: `status` and `reason` are those of the row.

    `needs` has the parameters that another attempt requires, with the minimum of each; `redirects` the URLs that
    redirected before.
    """

    def __init__(self, status: str, reason: str, needs: dict[str, float] | None = None) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
        self.needs = needs
        self.redirects: tuple[str, ...] = ()


class Pace:
    """Steady rates shared by all threads, and pauses requested by single hosts.

    `intervals` has the seconds between two requests of each kind, over all hosts. They do not apply to loopback, which
    serves the embedded corpus. `clock` returns monotonic seconds; `sleep` is called with the seconds to wait,
    including 0, and may raise.
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
        """Sleep until `url` may be requested, and count the request of this kind that follows."""
        limited = not is_loopback(url)
        with self._lock:  # reserves a slot; sleeps outside the lock
            now = self._clock()
            postponed = self._ready_of.get(_site(url), now)
            start = max(now, postponed, self._ready[kind] if limited else now)
            if limited:
                self._ready[kind] = start + self._intervals[kind]
        if postponed - now > LONG_PAUSE_SECONDS:
            log.info("no requests to %s for %.0f s", _site(url), postponed - now)
        if limited or start > now:
            self._sleep(start - now)

    def postpone(self, url: str, seconds: float) -> None:
        """Make no requests to the host of `url` for at least `seconds` from now."""
        site = _site(url)
        with self._lock:
            self._ready_of[site] = max(self._ready_of.get(site, float("-inf")), self._clock() + seconds)


def site_of(url: str) -> str:
    """Return `host` of an http or https URL, or `host:port` if the port is not the default.

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
    """Return the site, or "" if there is none, as for a search."""
    try:
        return site_of(url)
    except ValueError:
        return ""
