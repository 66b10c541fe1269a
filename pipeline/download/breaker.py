"""Stopping when the web refuses us: so many refusals in a row, over all workers, are an answer to all of them.

yt-dlp does not stop by itself, and each further request prolongs the refusal.
"""

import threading
from dataclasses import dataclass

from pipeline.core.web import FetchError

REFUSALS = 3  # in a row
NEUTRAL = ("transient",)  # says nothing of whether the web would answer


@dataclass(frozen=True)
class Refusal:
    """Why the run stopped: the last answer, and the addresses that were refused in a row."""

    answer: str
    addresses: tuple[str, ...]


class CircuitOpen(FetchError):
    """Not asked, since the web refuses us."""

    def __init__(self, answer: str) -> None:
        super().__init__("blocked", f"not asked: the web refused {REFUSALS} requests in a row, the last with: {answer}")


class CircuitBreaker:
    """Counts refusals as workers report them, and wakes those that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._refused: list[str] = []  # addresses, in a row
        self._answer = ""

    @property
    def refusal(self) -> Refusal | None:
        """The refusals that opened the circuit; None while it is closed."""
        return Refusal(self._answer, tuple(self._refused)) if self._answer and self._stop.is_set() else None

    def note(self, status: str, reason: str, address: str) -> None:
        """Count the outcome of a request."""
        with self._lock:
            if status in NEUTRAL or self._stop.is_set():
                return
            self._refused = [*self._refused, address] if status == "blocked" else []
            if len(self._refused) == REFUSALS:
                self._answer = reason
                self._stop.set()

    def release(self) -> None:
        """Wake all that wait, since the run ends for another reason; they raise `CircuitOpen`."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait; raise `CircuitOpen` once no more is to be asked."""
        if seconds > 0.0:
            self.pause(seconds)
        if self._stop.is_set():
            raise CircuitOpen(self._answer)

    def pause(self, seconds: float) -> None:
        """Sleep, at most until no more is to be asked."""
        self._stop.wait(seconds)
