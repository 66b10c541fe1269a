"""Ctrl-C: one line and exit status 130 instead of a traceback, in this process and in its workers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

INTERRUPTED = 130  # exit status, as a shell's for a command ended by SIGINT
CLOSED = (OSError, ValueError)  # of a stream without a reader


def end(line: str) -> NoReturn:
    """Print `line` to standard error and end the process with `INTERRUPTED`, without waiting for its threads."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(*CLOSED):
            stream.flush()
    with suppress(*CLOSED):
        print(line, file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


def end_on_interrupt(line: str) -> None:
    """From now on, end the process with `line` if a `KeyboardInterrupt` is not caught, also during imports."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            end(line)
        before(kind, error, at)

    sys.excepthook = hook


@contextmanager
def uninterrupted_children() -> Iterator[None]:
    """Block Ctrl-C for processes started in the block, from their first instruction: a terminal signals all of them.

    This process is interrupted after the block.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def run(command: Sequence[str], folder: Path) -> int:
    """Run a program in `folder` and return its exit status; after Ctrl-C, wait until it has ended too."""
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # `subprocess.run` would kill it, perhaps while it writes
            process.wait()
            raise
