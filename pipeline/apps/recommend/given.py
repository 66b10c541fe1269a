"""Read and check the files of a query before a model is loaded, so that invalid ones fail at once."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import ModelError

if TYPE_CHECKING:
    from PIL import Image

STANDARD = "-"  # instead of a file name: standard input
FILM_TRACK = re.compile(r"[^/]+/\d+")  # AAA/0; only an index can look it up


def read_plot(name: str) -> str:
    """Return the synopsis in a text file or on standard input; raise `ModelError` if it cannot be read."""
    try:
        data = sys.stdin.buffer.read() if name == STANDARD else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ModelError(
            f"--plot: {name} cannot be read ({error.strerror}); expected a text file, or - for standard input"
        ) from None
    except UnicodeDecodeError:
        raise ModelError(f"--plot: {name} is not a UTF-8 text file") from None


def read_image(path: Path) -> "Image.Image":
    """Return the picture in a file; raise `ModelError` if it cannot be read."""
    from pipeline.media.pictures import BadPictureError, read_picture
    from pipeline.store.inputs import MAX_PIXELS

    try:
        with path.open("rb") as file:
            return read_picture(file, MAX_PIXELS)
    except OSError as error:
        problem = str(error.strerror)
    except BadPictureError as error:
        problem = str(error)
    raise ModelError(f"--image: {path} cannot be read ({problem}); expected a JPEG, PNG, GIF or WebP file")


def check_liked(names: Iterable[str], tables: Sequence[Path]) -> None:
    """Raise `ModelError` for a name that is neither a readable audio file nor a track of the library.

    `tables` are the library's indexes, all with the same tracks. Without any, only files are checked.
    """
    for name in names:
        path = Path(name)
        if path.is_file():
            _require_readable(path)
        elif path.exists() or (not FILM_TRACK.fullmatch(name) and _listed(path, tables) is False):
            raise not_liked(name)


def check_disliked(names: Iterable[str], tables: Sequence[Path]) -> None:
    """Raise `ModelError` for a name that is not a track of the library with the indexes `tables`."""
    for name in names:
        if not FILM_TRACK.fullmatch(name) and _listed(Path(name), tables) is False:
            raise not_disliked(name)


def not_disliked(name: str) -> ModelError:
    """Return the error for a name that is not a track of the library."""
    return ModelError(f"--less: {name} is not a track of the library; expected a path, or AAA/0")


def not_liked(name: str) -> ModelError:
    """Return the error for a name that is neither a track nor an audio file."""
    return ModelError(f"--like: {name} is neither a track of the library (a path, or AAA/0) nor an audio file")


def _require_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise ModelError(f"--like: {path} cannot be read ({error.strerror}); expected an audio file") from None
    if is_empty:
        raise ModelError(f"--like: {path} is empty; expected an audio file")


def _listed(path: Path, tables: Sequence[Path]) -> bool | None:
    """Return whether `path` ends in a track's path, both in NFC; None if no table can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for table in tables:
        try:
            paths = pq.read_table(table, columns=["path"])["path"].to_pylist()
        except (OSError, pa.ArrowException):
            continue
        known = {unicodedata.normalize("NFC", known or "") for known in paths}
        parts = unicodedata.normalize("NFC", path.resolve().as_posix()).split("/")
        return any("/".join(parts[start:]) in known for start in range(len(parts)))
    return None
