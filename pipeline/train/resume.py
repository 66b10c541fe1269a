"""Resuming a killed training run from its state after one of its last epochs.

States are written in the background, at intervals that limit the overhead. The file is outside the model's folder,
which DVC empties before a stage runs, and always in the main repository, even if DVC works in a copy. Its name is a
digest of everything that determines the result, so that only the same training finds it. It can be deleted at any time,
and is deleted at the end of the training.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from pipeline.core.files import remove_strays, whole_file

FOLDER = "models/.resume"
SHARE = 0.05  # limit of the time spent saving: a kill loses an epoch, or 20 times the duration of a save

State = dict[str, Any]


@dataclass(frozen=True)
class Resume:
    """The file that one training run resumes from."""

    path: Path

    def load(self) -> State | None:
        """Return the last saved state, or None."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def save(self, state: State) -> None:
        """Write `state`, of tensors and plain values, atomically."""
        with whole_file(self.path) as temporary:
            torch.save(state, temporary)

    def remove(self) -> None:
        """Delete the file and temporary files of killed runs."""
        remove_strays(self.path)
        self.path.unlink(missing_ok=True)


class Saver:
    """Saves states in a thread, one at a time; a context manager that waits for the last write at its end.

    The full duration of a save counts, copying and writing, as it shares cores, memory and disk with the training.
    After the first save, a state is saved when `SHARE` of the time since the start of the previous save is at least the
    duration of that save.
    """

    def __init__(self, resume: Resume, clock: Callable[[], float] = time.monotonic) -> None:
        self.resume, self.clock = resume, clock
        self.began = self.took = 0.0  # seconds, of the last save; `took` is valid once it is written
        self.written: Future[None] | None = None
        self.pool = ThreadPoolExecutor(1, "resume")

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the pending write; raise its error unless the block raised one."""
        self.pool.shutdown()
        if self.written and not kind:
            self.written.result()

    def offer(self, state: Callable[[], State]) -> None:
        """Save the state returned by `state` if a save is due; the state may change after this call returns.

        Raises the error of the previous write, if any.
        """
        now = self.clock()
        if self.written:
            passed = now - self.began
            if (self.took if self.written.done() else passed) > SHARE * passed:
                return
            self.written.result()
        self.began = now
        self.written = self.pool.submit(self._write, _copied(state()))

    def _write(self, state: State) -> None:
        self.resume.save(state)
        self.took = self.clock() - self.began


def resume_of(root: Path, variant: str, decides: dict[str, Any]) -> Resume:
    """Return the file to resume the training of `variant` from; `decides` is everything that determines its result."""
    text = json.dumps(decides | {"torch": torch.__version__}, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Resume(Path(os.environ.get("DVC_ROOT") or root) / FOLDER / f"{variant}-{digest}.pt")


def _copied(value: Any) -> Any:
    """Return a copy of `value` with all tensors in dicts and lists copied to CPU memory."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
