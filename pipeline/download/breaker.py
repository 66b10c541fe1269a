"""Stopping when more requests would bring nothing: the web refuses us, or nearly everything fails for one reason.

So many refusals in a row, over all workers, are an answer to all of them: yt-dlp does not stop by itself, and each
further request prolongs the refusal. So many failures for one reason are no news of single recordings: the network is
down, a site has changed, or yt-dlp is outdated and is told that every video is unavailable.
"""

import re
import threading
from collections import Counter, deque
from dataclasses import dataclass

from pipeline.core.web import FetchError

REFUSALS = 3  # in a row
RECENT = 20  # recordings of this run, of which ...
SHARE = 0.9  # ... this share, and ...
FAILURES = 5  # ... at least so many must fail for one reason
DOUBTED = 3  # at least so many, where the run ends before: no reason to stop, and none to believe
NEUTRAL = ("transient",)  # says nothing of whether the web would answer
FAILED = ("gone", "blocked", "transient", "given_up")


@dataclass(frozen=True)
class Stop:
    """Why the run stopped, or what is to be doubted: the last answer, and the addresses that gave it."""

    answer: str
    addresses: tuple[str, ...]
    refused: bool  # else: failed for one reason


class CircuitOpen(FetchError):
    """Not asked, since the run stopped."""

    def __init__(self, stop: Stop | None) -> None:
        why = "the run ended"
        if stop is not None and stop.refused:
            why = f"the web refused {REFUSALS} requests in a row, the last with: {stop.answer}"
        elif stop is not None:
            why = f"{len(stop.addresses)} recordings had failed for one reason: {stop.answer}"
        super().__init__("blocked", f"not asked: {why}")


class CircuitBreaker:
    """Counts outcomes as workers report them, and wakes those that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._refused: list[str] = []  # addresses, in a row
        self._recent: deque[tuple[str, str, str]] = deque(maxlen=RECENT)  # kind of failure or "", reason, address
        self._stop: Stop | None = None

    @property
    def stop(self) -> Stop | None:
        """What opened the circuit; None while it is closed."""
        return self._stop

    @property
    def doubt(self) -> Stop | None:
        """The failures that nearly all recent recordings share, which may be ours; None when there are none."""
        return self._shared(DOUBTED)

    def note(self, status: str, reason: str, address: str, again: bool = False) -> None:
        """Count the outcome of a recording; `again` of a failure that an earlier run met as well."""
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

    def release(self) -> None:
        """Wake all that wait, since the run ends for another reason; they raise `CircuitOpen`."""
        self._open.set()

    def wait(self, seconds: float) -> None:
        """Wait; raise `CircuitOpen` once no more is to be asked."""
        if seconds > 0.0:
            self.pause(seconds)
        if self._open.is_set():
            raise CircuitOpen(self._stop)

    def pause(self, seconds: float) -> None:
        """Sleep, at most until no more is to be asked."""
        self._open.wait(seconds)

    def _shared(self, least: int) -> Stop | None:
        counts = Counter(kind for kind, _, _ in self._recent)
        kind, count = counts.most_common(1)[0] if counts else ("", 0)
        if not kind or count < max(least, SHARE * len(self._recent)):
            return None
        found = [(reason, address) for other, reason, address in self._recent if other == kind]
        return Stop(found[-1][0], tuple(address for _, address in found), refused=False)


def kind_of(reason: str) -> str:
    """Return a reason without its numbers: bytes, seconds and percentages differ from recording to recording."""
    return re.sub(r"[0-9.,]+", "#", reason)
