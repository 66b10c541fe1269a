"""Where results that a user asks for go: standard output, or a file that is named on the command line.

Such a file is written in place, so that a device, a pipe or a link stays what it is and a file keeps its mode.
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
    """Yield the file that `option` names, open for bytes; raise `PipelineError` where it cannot be opened or written.

    Its folder is made where it is missing. An `OSError` that the block raises otherwise is taken for one of this file.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise PipelineError(f"{option}: {path} cannot be written ({error.strerror or error})") from None


def write_output(option: str, path: Path, data: bytes) -> None:
    """Write `data` to the file that `option` names, as `output_file` does."""
    with output_file(option, path) as file:
        file.write(data)


@contextmanager
def standard_output() -> Iterator[None]:
    """End the process with 1 where standard output fails in the block: in silence where its reader has left.

    It is flushed when the block ends, since after that Python would report the failure with a traceback.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, io.UnsupportedOperation):  # it was closed from the start, or a test captures it
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
    """A stream that keeps its failure, by which it is told from other files', and then takes what comes for nothing."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
                raise
        return len(data)
