"""Safe decoding of untrusted pictures: limited size, upright, RGB, transparency on white."""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
WHITE = (255, 255, 255)
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # raised by Pillow for broken files
DAMAGE = (*BROKEN, TypeError, AttributeError, LookupError, ArithmeticError)  # and for invalid values in them


class BadPictureError(Exception):
    """The file is not a usable picture: `problem` is the reason, `cause` the name of Pillow's exception, if any."""

    def __init__(self, problem: str, cause: str = "") -> None:
        super().__init__(f"{problem}: {cause}" if cause else problem)
        self.problem = problem


def read_picture(source: Path | BinaryIO, max_pixels: int) -> Image.Image:
    """Return the first frame of a JPEG, PNG, GIF or WebP file by `as_rgb`, oriented by its EXIF data.

    Raises `FileNotFoundError` if it is missing, `BadPictureError` if it is of another format, damaged or larger than
    `max_pixels`, which is checked before decoding.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size, checked here, and damaged EXIF data
        try:
            with Image.open(source, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise BadPictureError(f"{image.width} x {image.height} px, more than the {max_pixels} px allowed")
                image.load()
                return as_rgb(_upright(image))
        except Image.DecompressionBombError:
            raise BadPictureError(f"more than the {max_pixels} px allowed, or than Pillow's own limit") from None
        except FileNotFoundError:
            raise
        except DAMAGE as error:
            raise BadPictureError("cannot be decoded", type(error).__name__) from None


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode in RGB: 16 bits scaled to 8, transparent parts on white."""
    if image.mode.startswith("I"):  # 16 bits per pixel, which convert() would clip
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    """Return the image oriented by its EXIF data; unchanged if these are damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGE:  # the image itself is valid
        return image
