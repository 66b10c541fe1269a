"""When a host may be asked again: a steady rate for each host, and the pauses that it asks for itself.

Loopback is asked without pause: the embedded corpus is served from there.
"""

from collections.abc import Callable

MAX_WAIT_SECONDS = 300.0  # a host that asks for a longer pause is left to the next run
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class HostBusy(Exception):
    """A host asks for more patience than a run has."""


class Pace:
    """Keeps, for each host, the time from which it may be asked.

    `clock` gives seconds that never go back; `sleep` takes seconds.
    """

    def __init__(self, requests_per_minute: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._interval = 60.0 / requests_per_minute
        self._clock = clock
        self._sleep = sleep
        self._ready: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Sleep until `host` may be asked, and count the request that follows; raise `HostBusy` rather than wait long.

        The limit does not cut short the interval that the rate itself asks for.
        """
        pause = self._ready.get(host, 0.0) - self._clock()
        if pause > max(MAX_WAIT_SECONDS, self._interval):
            raise HostBusy(f"{host} asks to be left alone for {pause:.0f} s more")
        if pause > 0:
            self._sleep(pause)
        if host not in LOOPBACK:
            self._ready[host] = self._clock() + self._interval

    def postpone(self, host: str, seconds: float) -> None:
        """Leave `host` alone for at least `seconds` from now."""
        self._ready[host] = max(self._ready.get(host, 0.0), self._clock() + seconds)
