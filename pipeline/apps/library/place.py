"""Which folder is indexed, and where to: refused at once where something else would be harmed."""

from pathlib import Path

from pipeline.apps.library.library import is_library, read_contents
from pipeline.apps.library.tags import clean
from pipeline.core.errors import MissingFileError, ModelError

PATH_CHARS = 5000


def music_folder(folder: Path) -> Path:
    """Return the folder of music, resolved; raise `MissingFileError` when it is none."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise MissingFileError(f"FOLDER: {folder} {what}; name the folder that your music is in")
    return _written(folder.resolve(), "FOLDER")


def library_folder(out: Path, folder: Path) -> Path:
    """Return where the library of `folder` is written, resolved; nothing is made yet.

    Raises `ModelError` for a place that is, or lies in, a file, holds something else, or is the library of another
    folder; as `read_contents` does for one that is damaged.
    """
    place = _written(out.resolve(), "--out")
    file = next((path for path in (place, *place.parents) if path.exists() and not path.is_dir()), None)
    if file:
        raise ModelError(f"--out: {out} cannot be a folder, {file} is a file; name another place")
    if is_library(place):
        owner = read_contents(place).folder
        if owner != str(folder):
            raise ModelError(
                f"--out: {out} is the library of {clean(owner, PATH_CHARS)}, not of {folder}; name another place, or "
                "remove it first"
            )
    elif place.is_dir() and any(place.iterdir()):
        raise ModelError(
            f"--out: {out} is not empty and no library, so nothing is written into it; name a new or empty folder"
        )
    return place


def _written(path: Path, what: str) -> Path:
    """Return `path`, which library.json has to hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = bytes(path).decode("utf-8", "backslashreplace")
        raise ModelError(f"{what}: the name {shown} is not UTF-8; rename it") from None
    return path
