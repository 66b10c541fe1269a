"""The circuit breaker: stops the run when requests are refused, or nearly all fail for one reason.

Consecutive refusals, over all workers, concern all requests: yt-dlp does not stop by itself, and each further request
prolongs the refusal. Many failures for one reason do not concern single recordings: the network is down, a site has
changed, or yt-dlp is outdated and every video appears unavailable.
"""

import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.web import FetchError

REFUSALS = 3  # consecutive
RECENT = 20  # recordings of this run that are considered
SHARE = 0.9  # of these that must fail for one reason
FAILURES = 5  # at least
DOUBTED = 3  # the same at the end of a run: the next run repeats the failures before they are accepted
UNREACHED = 3  # consecutive recordings without a response to any request
UNREACHED_SECONDS = 20.0  # and for at least this time: a short interruption of the network does not stop the run
NEUTRAL = ("transient",)  # not evidence for or against a refusal
FAILED = ("gone", "blocked", "transient", "given_up")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stop:
    """The reason for stopping, or doubted failures: the last answer, and the URLs that returned it."""

    answer: str
    addresses: tuple[str, ...]
    refused: bool  # else: failed for one reason


class CircuitOpen(FetchError):
    """Not requested, because the run stopped."""

    def __init__(self, stop: Stop | None) -> None:
        why = "the run ended"
        if stop is not None and stop.refused:
            why = f"{REFUSALS} consecutive requests were refused, the last with: {stop.answer}"
        elif stop is not None:
            why = f"{len(stop.addresses)} recordings had failed for one reason: {stop.answer}"
        super().__init__("blocked", f"not requested: {why}")


class CircuitBreaker:
    """Counts the outcomes that workers report, and wakes waiting workers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._refused: list[str] = []  # URLs, consecutive
        self._unreached: dict[str, None] = {}  # URLs, consecutive
        self._unreached_since = 0.0
        self._recent: deque[tuple[str, str, str]] = deque(maxlen=RECENT)  # kind of failure or "", reason, address
        self._stop: Stop | None = None

    @property
    def stop(self) -> Stop | None:
        """The reason why the circuit is open; None while it is closed."""
        return self._stop

    @property
    def doubt(self) -> Stop | None:
        """Failures shared by nearly all recent recordings, possibly caused on this side; None if there are none."""
        return self._shared(DOUBTED)

    def note(self, status: str, reason: str, address: str, again: bool = False) -> None:
        """Count the outcome of a recording; `again` if an earlier run had the same failure."""
        with self._lock:
            if self._open.is_set():
                return
            if status == "blocked":
                self._refused.append(address)
            elif status not in NEUTRAL:
                self._refused.clear()
            if not again:
                self._recent.append((kind_of(reason) if status in FAILED else "", reason, address))
            if len(self._refused) == REFUSALS:
                self._stop = Stop(reason, tuple(self._refused), refused=True)
            else:
                self._stop = self._shared(FAILURES)
            if self._stop is not None:
                self._open.set()

    def reached(self) -> None:
        """Note that a request got a response."""
        with self._lock:
            self._unreached.clear()

    def unreached(self, reason: str, address: str) -> None:
        """Count a request for a recording that got no response."""
        with self._lock:
            if self._open.is_set():
                return
            if not self._unreached:
                self._unreached_since = self._clock()
            if address not in self._unreached:
                log.warning("download: %.200s: %s", address, reason)
                self._unreached[address] = None
            lasted = self._clock() - self._unreached_since
            if len(self._unreached) >= UNREACHED and lasted >= UNREACHED_SECONDS:
                self._stop = Stop(reason, tuple(self._unreached), refused=False)
                self._open.set()

    def release(self) -> None:
        """Wake all waiting workers, because the run ends for another reason; they raise `CircuitOpen`."""
        self._open.set()

    def require_run(self) -> None:
        """Raise `CircuitOpen` after `release`: transfers end; if the circuit opened, they are completed."""
        if self._open.is_set() and self._stop is None:
            raise CircuitOpen(None)

    def wait(self, seconds: float) -> None:
        """Wait; raise `CircuitOpen` if no more requests are allowed."""
        if seconds > 0.0:
            self.pause(seconds)
        if self._open.is_set():
            raise CircuitOpen(self._stop)

    def pause(self, seconds: float) -> None:
        """Sleep, at most until no more requests are allowed."""
        self._open.wait(seconds)

    def _shared(self, least: int) -> Stop | None:
        counts = Counter(kind for kind, _, _ in self._recent)
        kind, count = counts.most_common(1)[0] if counts else ("", 0)
        if not kind or count < max(least, SHARE * len(self._recent)):
            return None
        found = [(reason, address) for other, reason, address in self._recent if other == kind]
        return Stop(found[-1][0], tuple(address for _, address in found), refused=False)


def kind_of(reason: str) -> str:
    """Return a reason without its numbers: bytes, seconds and percentages differ between recordings."""
    return re.sub(r"[0-9.,]+", "#", reason)
