"""The posters of the data set: files that `parse` wrote, JPEG in RGB."""

from pathlib import Path

from PIL import Image

from pipeline.core.errors import MissingFileError

MAX_PIXELS = 50_000_000  # parse writes posters of some 224 px
FORMATS = ("JPEG", "PNG")
DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises on a damaged JPEG


def read_poster(path: Path) -> Image.Image:
    """Return the picture at `path` in RGB; raise `MissingFileError` when it is missing or damaged."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} px, more than the {MAX_PIXELS} px allowed")
            return image.convert("RGB")
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro parse`") from None
    except DAMAGE as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and run `dvc repro parse`") from None
