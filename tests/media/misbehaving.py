"""Work that behaves in another process as decoders with hostile files; like decoders, it imports little."""

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
    """Yield a block and take memory without end."""
    yield BLOCK
    taken = []
    while True:
        taken.append(np.ones(1 << 24))


def unforeseen(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Yield a block and raise what no decoder should."""
    yield BLOCK
    raise KeyError("what nobody foresaw")


def refused(path: Path, *arguments: object) -> Iterator[np.ndarray]:
    """Raise what a disk does, before the first block."""
    if path:
        raise PermissionError(13, "Permission denied", str(path))
    yield BLOCK


def pid_of(path: Path, *arguments: object) -> tuple[object, ...]:
    """Return the number of the process, and the arguments."""
    return os.getpid(), *arguments
