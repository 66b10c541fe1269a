"""Output of commands: standard output, or a file named on the command line.

Such a file is written in place: devices, pipes and links are preserved, and a file keeps its mode.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.core.errors import PipelineError


@contextmanager
def output_file(option: str, path: Path) -> Iterator[BinaryIO]:
    """Yield the file of `option`, open for bytes; raise `PipelineError` if it cannot be opened or written.

    Creates its folder if missing. Any `OSError` in the block is attributed to this file.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise PipelineError(f"{option}: {path} cannot be written ({error.strerror or error})") from None


def write_output(option: str, path: Path, data: bytes) -> None:
    """Write `data` to the file of `option`, as `output_file` does."""
    with output_file(option, path) as file:
        file.write(data)


@contextmanager
def standard_output() -> Iterator[None]:
    """Exit with 1 if writing to standard output fails in the block; silently if its reader has closed the pipe.

    Flushes at the end of the block: later, Python would report the failure with a traceback.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, io.UnsupportedOperation):  # closed from the start, or captured by a test
        yield
        return
    sys.stdout.flush()
    raw = _Standard(descriptor, "wb", closefd=False)
    stream = io.TextIOWrapper(
        io.BufferedWriter(raw), sys.stdout.encoding, sys.stdout.errors, line_buffering=sys.stdout.isatty()
    )
    try:
        with redirect_stdout(stream):
            try:
                yield
            finally:
                stream.flush()
    except OSError as error:
        if error is not raw.failure:
            raise
        if not isinstance(error, BrokenPipeError):
            print(f"ERROR: standard output cannot be written ({error.strerror})", file=sys.stderr)
        raise SystemExit(1) from None


class _Standard(io.FileIO):
    """A stream that keeps its failure, to distinguish it from other files', and discards later writes."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
                raise
        return len(data)
