"""The poster for the model: RGB, a fixed shorter side, JPEG."""

from pathlib import Path

from PIL import Image

from pipeline.core.files import whole_file
from pipeline.media.pictures import WHITE, BadPictureError, read_picture
from pipeline.parse.section import Parse


class BadPosterError(Exception):
    """The file is not a usable image; the message has the reason."""


def save_poster(source: Path, target: Path, parse: Parse) -> None:
    """Write `source` to `target` with a shorter side of `parse.short_side` px, the longer in proportion."""
    try:
        image = read_picture(source, parse.max_pixels)
    except FileNotFoundError:
        raise BadPosterError("is missing") from None
    except BadPictureError as error:
        raise BadPosterError(str(error)) from None
    _save(_resized(image, parse), target, parse)


def save_blank(target: Path, parse: Parse) -> None:
    """Write a white square."""
    _save(Image.new("RGB", (parse.short_side, parse.short_side), WHITE), target, parse)


def _resized(image: Image.Image, parse: Parse) -> Image.Image:
    shorter = min(image.size)
    width, height = (max(parse.short_side, round(side * parse.short_side / shorter)) for side in image.size)
    if width * height > parse.max_pixels:
        raise BadPosterError(f"{image.width} x {image.height} px is too narrow for a poster")
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _save(image: Image.Image, target: Path, parse: Parse) -> None:
    with whole_file(target) as temporary:
        image.save(temporary, format="JPEG", quality=parse.jpeg_quality)
