"""Work that misbehaves in another process like decoders of hostile files; like them, it imports little."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK = np.ones(1000, np.int16)


def crashing(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Yield a block and crash."""
    yield BLOCK
    os.kill(os.getpid(), signal.SIGSEGV)


def hanging(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Yield a block and hang."""
    yield BLOCK
    time.sleep(3600)


def eating(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Yield a block and allocate memory endlessly."""
    yield BLOCK
    taken = []
    while True:
        taken.append(np.ones(1 << 24))


def unforeseen(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Yield a block and raise an exception that decoders should not raise."""
    yield BLOCK
    raise KeyError("what nobody foresaw")


def refused(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Raise a disk error before the first block."""
    if path:
        raise PermissionError(13, "Permission denied", str(path))
    yield BLOCK


def pid_of(path: Path, *arguments: object) -> tuple[object, ...]:
    """Return the process id and the arguments."""
    return os.getpid(), *arguments
