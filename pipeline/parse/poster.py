"""A poster as the model reads it: RGB, its shorter side of one fixed length, written as JPEG."""

import struct
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from pipeline.files import whole_file
from pipeline.sections import Parse

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
WHITE = (255, 255, 255)
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises on broken files, and ...
DAMAGE = (*BROKEN, TypeError, AttributeError, LookupError, ArithmeticError)  # ... on odd values in them


class BadPosterError(Exception):
    """The file is no image that can be used; the message says why."""


def save_poster(source: Path, target: Path, parse: Parse) -> None:
    """Write `source` to `target` with a shorter side of `parse.short_side` px, the longer in proportion."""
    _save(_resized(_decoded(source, parse.max_pixels), parse), target, parse)


def save_blank(target: Path, parse: Parse) -> None:
    """Write a white square."""
    _save(Image.new("RGB", (parse.short_side, parse.short_side), WHITE), target, parse)


def _decoded(source: Path, max_pixels: int) -> Image.Image:
    """Return the first frame, upright, transparent parts on white."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on size, which is checked here, and on damaged notes of cameras
        try:
            with Image.open(source, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise BadPosterError(f"{image.width} x {image.height} px, more than the {max_pixels} px allowed")
                image.load()
                return _rgb(_upright(image))
        except Image.DecompressionBombError:
            raise BadPosterError(f"more px than the {max_pixels} allowed, or than Pillow decodes") from None
        except DAMAGE as error:
            raise BadPosterError(f"cannot be decoded: {type(error).__name__}") from None


def _upright(image: Image.Image) -> Image.Image:
    """Return the image as the camera says; as it is where the camera's note is damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGE:  # the image itself is whole
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    return image.convert("RGB")


def _resized(image: Image.Image, parse: Parse) -> Image.Image:
    shorter = min(image.size)
    size = tuple(max(parse.short_side, round(side * parse.short_side / shorter)) for side in image.size)
    if size[0] * size[1] > parse.max_pixels:
        raise BadPosterError(f"{image.width} x {image.height} px is too narrow for a poster")
    return image.resize(size, Image.Resampling.LANCZOS)


def _save(image: Image.Image, target: Path, parse: Parse) -> None:
    with whole_file(target) as temporary:
        image.save(temporary, format="JPEG", quality=parse.jpeg_quality)
