"""The posters of the data set, decoded."""

from pathlib import Path

from PIL import Image

from pipeline.errors import MissingFileError
from pipeline.pictures import BadPictureError, read_picture

MAX_PIXELS = 50_000_000  # parse writes posters of some 224 px


def read_poster(path: Path) -> Image.Image:
    """Return the picture at `path` in RGB; raise `MissingFileError` when it is missing or damaged."""
    try:
        return read_picture(path, MAX_PIXELS)
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro parse`") from None
    except BadPictureError as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and run `dvc repro parse`") from None
