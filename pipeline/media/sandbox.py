"""Decoding of untrusted files in another process: a crash, hang or memory exhaustion affects one file only.

For low overhead, the process starts on first use, imports little more than NumPy and PyAV, and is reused for further
files. It decodes one part ahead, ends with its parent, and has limited memory; each file has a time limit.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.core.interrupt import uninterrupted_children
from pipeline.media import audio
from pipeline.media.audio import NotAudioError, reason_of

Result = TypeVar("Result")

SECONDS = 60.0  # time limit of a file, plus:
SECONDS_PER_MB = 10.0  # ten times the time of the slowest codecs (APE at its highest level)
MEMORY_BYTES = 1 << 31  # per process
START = "import sys; sys.path[:] = sys.argv[3:]; from pipeline.media.sandbox import serve; serve(*sys.argv[1:3])"
STDIN = 0
PART, ERROR, END = "part", "error", "end"

_idle: list["_Decoder"] = []  # processes waiting for a file
_running: set["_Decoder"] = set()  # all: the garbage collector must not close those still in use by a generator


def mono(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the blocks of `pipeline.media.audio.mono`; raises the same exceptions."""
    yield from decoded(audio.mono, path, sample_rate)


def metadata(path: Path) -> dict[str, str]:
    """Return the tags of `pipeline.media.audio.metadata`; raises the same exceptions."""
    return call(audio.metadata, path)


def call(function: Callable[..., Result], path: Path, *arguments: Any) -> Result:
    """Return `function(path, *arguments)`, computed as `decoded` does."""
    (result,) = decoded(partial(_once, function), path, *arguments)
    return result


def decoded(work: Callable[..., Iterator[Result]], path: Path, *arguments: Any) -> Iterator[Result]:
    """Yield the items of `work(path, *arguments)`, run in another process, which must be able to import it.

    Raises `NotAudioError` if it crashes, exceeds the time limit for the file's size or the memory limit, and for all
    its exceptions except `OSError`, which propagates.
    """
    seconds = SECONDS + path.stat().st_size / 1e6 * SECONDS_PER_MB
    decoder = _taken() or _Decoder()
    try:
        yield from decoder.parts(work, (path.absolute(), *arguments), seconds)
    finally:
        decoder.stop()
        if decoder.is_running:
            _idle.append(decoder)


def close() -> None:
    """End the idle processes."""
    while decoder := _taken():
        decoder.end()


def serve(descriptor: str, memory_bytes: str) -> None:
    """Process the requests of a connection until it is closed. Runs in the other process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for limit, least in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, int(memory_bytes))):
        _, most = resource.getrlimit(limit)
        resource.setrlimit(limit, (least if most == resource.RLIM_INFINITY else min(least, most), most))
    connection = Connection(int(descriptor))
    try:
        while True:
            request = connection.recv()
            if not isinstance(request, bool):  # left over from a finished file
                _answer(connection, *request)
    except (EOFError, OSError):  # the parent has ended
        os._exit(1)


class _Decoder:
    """The parent's handle of a process."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            paths = [os.path.abspath(path) for path in sys.path]
            command = [sys.executable, "-c", START, str(theirs.fileno()), str(MEMORY_BYTES), *paths]
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            pipe = subprocess.PIPE  # closed when this process ends, for any reason
            with uninterrupted_children():
                self._process = subprocess.Popen(command, stdin=pipe, pass_fds=[theirs.fileno()], env=environment)
        self._seconds = self._left = 0.0
        self._busy = False
        _running.add(self)

    def parts(self, work: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> Iterator[Any]:
        self._seconds = self._left = seconds
        self._busy = True
        self._send((work, arguments))
        while True:
            kind, value = self._receive()
            if kind != PART:
                break
            self._send(True)
            yield value
        self._busy = False
        if kind == ERROR:
            raise value

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Stop decoding the current file, if any."""
        with suppress(NotAudioError):
            if self._busy:
                self._send(False)
                while self._receive()[0] == PART:
                    pass
        self._busy = False

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise NotAudioError(self.end()) from None

    def _receive(self) -> tuple[str, Any]:
        begin = time.monotonic()
        try:
            if self._connection.poll(max(0.0, self._left)):
                return self._connection.recv()
        except (EOFError, OSError):
            raise NotAudioError(self.end()) from None
        finally:
            self._left -= time.monotonic() - begin
        self._process.kill()
        self.end()
        raise NotAudioError(f"decoding it took more than {self._seconds:.0f} s")

    def end(self) -> str:
        """End the process if it is running, and return a description of its end."""
        self._busy = False
        _running.discard(self)
        self._connection.close()
        assert self._process.stdin is not None, "it was opened as a pipe"
        self._process.stdin.close()  # ends the process
        status = self._process.wait()
        if status >= 0:
            return f"its decoder ended with status {status}"
        name = signal.Signals(-status).name
        return f"its decoder crashed ({name})" if name != "SIGKILL" else "its decoder was killed, maybe out of memory"


def _taken() -> _Decoder | None:
    while _idle:
        with suppress(IndexError):  # another thread was faster
            if (decoder := _idle.pop()).is_running:
                return decoder
    return None


def _answer(connection: Connection, work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    for kind, value in _messages(work, arguments):
        connection.send((kind, value))
        if kind == PART and not connection.recv():
            connection.send((END, None))
            return


def _once(function: Callable[..., Result], *arguments: Any) -> Iterator[Result]:
    yield function(*arguments)


def _messages(work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    try:
        for part in work(*arguments):
            yield PART, part
    except (NotAudioError, OSError) as error:
        yield ERROR, error
    except Exception as error:
        yield ERROR, NotAudioError(reason_of(error))
    else:
        yield END, None


def _end_with_parent() -> None:
    os.read(STDIN, 1)  # returns when the parent's end is closed
    os._exit(1)
