"""Pictures of unknown origin, decoded safely: not too large, upright, in RGB, transparent parts on white."""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
WHITE = (255, 255, 255)
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises on broken files, and ...
DAMAGE = (*BROKEN, TypeError, AttributeError, LookupError, ArithmeticError)  # ... on odd values in them


class BadPictureError(Exception):
    """The file is no picture that can be used: `problem` says why, `cause` names the exception of Pillow, if any."""

    def __init__(self, problem: str, cause: str = "") -> None:
        super().__init__(f"{problem}: {cause}" if cause else problem)
        self.problem = problem


def read_picture(source: Path | BinaryIO, max_pixels: int) -> Image.Image:
    """Return the first frame of a JPEG, PNG, GIF or WebP file as `as_rgb` gives it, upright as the camera says.

    Raises `FileNotFoundError` when there is no file, `BadPictureError` for one of another format, for a damaged one,
    and, before decoding it, for more than `max_pixels`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on size, which is checked here, and on damaged notes of cameras
        try:
            with Image.open(source, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise BadPictureError(f"{image.width} x {image.height} px, more than the {max_pixels} px allowed")
                image.load()
                return as_rgb(_upright(image))
        except Image.DecompressionBombError:
            raise BadPictureError(f"more px than the {max_pixels} allowed, or than Pillow decodes") from None
        except FileNotFoundError:
            raise
        except DAMAGE as error:
            raise BadPictureError("cannot be decoded", type(error).__name__) from None


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode in RGB: 16 bits scaled to 8, transparent parts on white."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    """Return the image as the camera says; as it is where the camera's note is damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGE:  # the image itself is whole
        return image
