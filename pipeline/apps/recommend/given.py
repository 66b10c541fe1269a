"""The files that a query names, checked and read before a model is loaded: a wrong one is an error at once."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import ModelError

if TYPE_CHECKING:
    from PIL import Image

STANDARD = "-"  # in place of a file: what is piped in
FILM_TRACK = re.compile(r"[^/]+/\d+")  # AAA/0, which an index alone can look up


def read_plot(name: str) -> str:
    """Return the synopsis in a text file, or the one that is piped in; raise `ModelError` when it cannot be read."""
    try:
        data = sys.stdin.buffer.read() if name == STANDARD else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"--plot: {name} cannot be read ({error.strerror}); name a text file, or - and pipe") from None
    except UnicodeDecodeError:
        raise ModelError(f"--plot: {name} is no text in UTF-8") from None


def read_image(path: Path) -> "Image.Image":
    """Return the picture in a file; raise `ModelError` when it cannot be read."""
    from pipeline.media.pictures import BadPictureError, read_picture
    from pipeline.store.inputs import MAX_PIXELS

    try:
        with path.open("rb") as file:
            return read_picture(file, MAX_PIXELS)
    except OSError as error:
        problem = str(error.strerror)
    except BadPictureError as error:
        problem = str(error)
    raise ModelError(f"--image: {path} cannot be read ({problem}); name a JPEG, PNG, GIF or WebP file")


def check_liked(names: Iterable[str], tables: Sequence[Path]) -> None:
    """Raise `ModelError` for a name that is neither an audio file that can be read nor a track of the library.

    `tables` are the library's indexes, all of the same tracks. Without one, only the files are checked.
    """
    for name in names:
        path = Path(name)
        if path.is_file():
            _require_readable(path)
        elif path.exists() or (not FILM_TRACK.fullmatch(name) and _listed(path, tables) is False):
            raise not_liked(name)


def check_disliked(names: Iterable[str], tables: Sequence[Path]) -> None:
    """Raise `ModelError` for a name that is no track of the library, whose indexes `tables` are."""
    for name in names:
        if not FILM_TRACK.fullmatch(name) and _listed(Path(name), tables) is False:
            raise not_disliked(name)


def not_disliked(name: str) -> ModelError:
    """Return the error for a name that stands for no track of the library."""
    return ModelError(f"--less: {name} is no track of the library; name one by its path, or as AAA/0")


def not_liked(name: str) -> ModelError:
    """Return the error for a name that stands for no track."""
    return ModelError(f"--like: {name} is neither a track of the library (a path, or AAA/0) nor an audio file")


def _require_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise ModelError(f"--like: {path} cannot be read ({error.strerror}); name an audio file") from None
    if is_empty:
        raise ModelError(f"--like: {path} is empty; name an audio file")


def _listed(path: Path, tables: Sequence[Path]) -> bool | None:
    """Return whether a track's path, in NFC, is the end of `path`; None where no table can be read."""
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
