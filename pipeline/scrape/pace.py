"""When a host may be asked again: one steady rate for all hosts together, and the pauses that a host asks for itself.

Loopback is asked without the steady pause: the embedded corpus is served from there.
"""

import logging
from collections.abc import Callable

from pipeline.scrape.hosts import is_loopback, site_of

LONG_PAUSE_SECONDS = 60.0  # worth a line in the log

log = logging.getLogger(__name__)


class Pace:
    """Keeps the time from which anything may be asked, and for each host the time from which it may be.

    `clock` gives seconds that never go back; `sleep` takes seconds.
    """

    def __init__(self, requests_per_minute: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._interval = 60.0 / requests_per_minute
        self._clock = clock
        self._sleep = sleep
        self._ready = float("-inf")
        self._ready_of: dict[str, float] = {}

    def wait(self, url: str) -> None:
        """Sleep until `url` may be asked for, and count the request that follows."""
        limited = not is_loopback(url)
        ready = max(self._ready if limited else float("-inf"), self._ready_of.get(site_of(url), float("-inf")))
        pause = ready - self._clock()
        if pause > LONG_PAUSE_SECONDS:
            log.info("%s is left alone for %.0f s", site_of(url), pause)
        if pause > 0:
            self._sleep(pause)
        if limited:
            self._ready = self._clock() + self._interval

    def postpone(self, url: str, seconds: float) -> None:
        """Leave the host of `url` alone for at least `seconds` from now."""
        site = site_of(url)
        self._ready_of[site] = max(self._ready_of.get(site, float("-inf")), self._clock() + seconds)
