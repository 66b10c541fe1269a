"""Stopping when the web refuses us: so many refusals in a row, over all workers, are an answer to all of them.

yt-dlp does not stop by itself, and each further request prolongs the refusal.
"""

import threading

from pipeline.download.failures import FetchError

REFUSALS = 3  # in a row
NEUTRAL = ("transient",)  # says nothing of whether the web would answer


class Halted(FetchError):
    """Not asked, since the web refuses us."""

    def __init__(self, answer: str) -> None:
        super().__init__("blocked", f"not asked: the web refused {REFUSALS} requests in a row, the last with: {answer}")


class Brake:
    """Counts refusals as workers report them, and wakes those that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._refusals = 0
        self._answer = ""

    @property
    def answer(self) -> str | None:
        """What the web said when it refused us once too often; None while it has not."""
        return self._answer if self._stop.is_set() else None

    def note(self, status: str, reason: str) -> None:
        """Count the outcome of a request."""
        with self._lock:
            if status in NEUTRAL or self._stop.is_set():
                return
            self._refusals = self._refusals + 1 if status == "blocked" else 0
            if self._refusals == REFUSALS:
                self._answer = reason
                self._stop.set()

    def release(self) -> None:
        """Wake all that wait, since the run ends for another reason; they raise `Halted`."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait; raise `Halted` once no more is to be asked."""
        if seconds > 0.0:
            self.pause(seconds)
        if self._stop.is_set():
            raise Halted(self._answer)

    def pause(self, seconds: float) -> None:
        """Sleep, at most until no more is to be asked."""
        self._stop.wait(seconds)
