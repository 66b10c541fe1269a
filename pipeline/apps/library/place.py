"""Check the music folder and the library folder, so that nothing else is overwritten."""

from pathlib import Path

from pipeline.apps.library.library import is_library, read_contents
from pipeline.apps.library.tags import clean
from pipeline.core.errors import MissingFileError, ModelError

PATH_CHARS = 5000


def music_folder(folder: Path) -> Path:
    """Return the music folder, resolved; raise `MissingFileError` if it is not a folder."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise MissingFileError(f"FOLDER: {folder} {what}; expected a folder of music")
    return _written(folder.resolve(), "FOLDER")


def library_folder(out: Path, folder: Path) -> Path:
    """Return the resolved path for the library of `folder`; nothing is created yet.

    Raises `ModelError` for a path that is a file or inside a file, a folder with other contents, or the library of
    another folder; raises as `read_contents` for a damaged library.
    """
    place = _written(out.resolve(), "--out")
    file = next((path for path in (place, *place.parents) if path.exists() and not path.is_dir()), None)
    if file:
        raise ModelError(f"--out: {out} cannot be a folder, {file} is a file; choose another folder")
    if is_library(place):
        owner = read_contents(place).folder
        if owner != str(folder):
            raise ModelError(
                f"--out: {out} is the library of {clean(owner, PATH_CHARS)}, not of {folder}; choose another folder, "
                "or remove it first"
            )
    elif place.is_dir() and any(place.iterdir()):
        raise ModelError(f"--out: {out} is not empty and not a library; choose a new or empty folder")
    return place


def _written(path: Path, what: str) -> Path:
    """Return `path`; raise `ModelError` if it cannot be stored in library.json."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = bytes(path).decode("utf-8", "backslashreplace")
        raise ModelError(f"{what}: the name {shown} is not UTF-8; rename it") from None
    return path
