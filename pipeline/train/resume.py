"""What a killed training resumes from: its state after one of its last epochs.

States are written while the training goes on, and only as often as that takes little of the time. The file lies outside
the model's folder, which DVC empties before a stage runs, and in the main repository also where DVC works in a copy,
under a name made of all that decides the result, so that only the same training finds it. It may be deleted at any
time, and is deleted once the training has ended.
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
SHARE = 0.05  # of the time at most that saving takes: a kill loses an epoch, or 20 times what a save takes

State = dict[str, Any]


@dataclass(frozen=True)
class Resume:
    """The file that one training is resumed from."""

    path: Path

    def load(self) -> State | None:
        """Return the state that was saved last, None without one."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def save(self, state: State) -> None:
        """Write `state`, tensors and plain values, whole."""
        with whole_file(self.path) as temporary:
            torch.save(state, temporary)

    def remove(self) -> None:
        """Delete the file and what killed runs left of it."""
        remove_strays(self.path)
        self.path.unlink(missing_ok=True)


class Saver:
    """Saves states in a thread, one at a time; used as a context, at whose end the last one is written.

    What a save takes is counted whole, copying and writing, though the training goes on meanwhile: they share cores,
    memory and disk. After the first one a state is saved as soon as `SHARE` of the time since the one before began is
    no less than what that one took.
    """

    def __init__(self, resume: Resume, clock: Callable[[], float] = time.monotonic) -> None:
        self.resume, self.clock = resume, clock
        self.began = self.took = 0.0  # seconds, of the last save; `took` counts once it is written
        self.written: Future[None] | None = None
        self.pool = ThreadPoolExecutor(1, "resume")

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the write in flight; raise what it raised, unless the block ends with an error of its own."""
        self.pool.shutdown()
        if self.written and not kind:
            self.written.result()

    def offer(self, state: Callable[[], State]) -> None:
        """Save what `state` returns, if it is time to; it may change as soon as this returns.

        Raises what the write before has raised.
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
    """Return where the training of `variant` is resumed from; `decides` is all that its result depends on."""
    text = json.dumps(decides | {"torch": torch.__version__}, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Resume(Path(os.environ.get("DVC_ROOT") or root) / FOLDER / f"{variant}-{digest}.pt")


def _copied(value: Any) -> Any:
    """Return a copy in the processor's memory of tensors in dicts and lists."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
