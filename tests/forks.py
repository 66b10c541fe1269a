"""Processes forked from one that has imported PyTorch and the stages: the imports take most of a short process's time.

Each has a process, a working directory and a log of its own, and can be killed like any other.
"""

import os
import sys
from collections.abc import Callable
from multiprocessing import connection, forkserver, get_context
from pathlib import Path
from typing import Any

import torch

from pipeline.tracking.store import QUIET

IMPORTED = [
    *(f"stages.{name}" for name in ("scrape", "parse", "download", "segment", "features", "train")),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "torch.distributed", "torchaudio.functional"),
    *("tests.train.test_group", "tests.train.test_resume"),
]
LOG = "log.txt"
PATIENCE_SECONDS = 120.0


class Fork:
    """A process that runs `work(say, *given)` in `folder`; `say` sends a message to this process."""

    def __init__(self, folder: Path, work: Callable[..., None], *given: Any) -> None:
        self.folder = folder
        share_imports()
        context = get_context("forkserver")
        self._messages, messages = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(folder, work, messages, given))
        self.process.start()
        messages.close()

    def message(self) -> Any:
        """Wait for the next message of the process and return it; None if it has ended."""
        try:
            return self._messages.recv() if self._messages.poll(PATIENCE_SECONDS) else None
        except EOFError:
            return None

    def ended(self) -> bool:
        return self.process.exitcode is not None

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.join()

    def finish(self) -> str:
        """Wait for the end of the process, which must succeed, and return what it logged."""
        self.process.join(PATIENCE_SECONDS)
        status, log = self.process.exitcode, (self.folder / LOG).read_text()
        self.kill()  # if it hangs: Python would wait for it in the end
        assert status == 0, log
        return log


def share_imports() -> None:
    """Have the process from which others are forked import all of `IMPORTED`, unless it runs already."""
    os.environ |= QUIET  # read by MLflow on import
    forkserver.set_forkserver_preload(IMPORTED)


def _work(folder: Path, work: Callable[..., None], messages: connection.Connection, given: tuple[Any, ...]) -> None:
    os.chdir(folder)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    torch.set_num_threads(1)
    work(messages.send, *given)
