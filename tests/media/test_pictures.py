"""Pictures of every kind, and files that are not pictures."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline.media.pictures import BadPictureError, as_rgb, read_picture

MAX_PIXELS = 40_000
RED, WHITE = (204, 51, 51), (255, 255, 255)


def read(image, kind="PNG", **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return read_picture(io.BytesIO(data.getvalue()), MAX_PIXELS)


def is_all(image, colour, tolerance=2):
    assert image.mode == "RGB"
    return np.abs(np.asarray(image).astype(int) - colour).max() <= tolerance


@pytest.mark.parametrize(
    ("mode", "kind", "tolerance"),
    [("RGB", "JPEG", 4), ("CMYK", "JPEG", 4), ("P", "PNG", 0), ("P", "GIF", 0), ("RGB", "WEBP", 8), ("RGBA", "PNG", 0)],
)
def test_colour_of_every_mode(mode, kind, tolerance):
    assert is_all(read(Image.new("RGB", (40, 50), RED).convert(mode), kind), RED, tolerance)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1"])
def test_grey_of_every_depth(mode):
    level = 255 if mode == "1" else 128
    image = Image.new("L", (40, 50), level).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((50, 40), level * 257, np.uint16))
    assert is_all(read(image), (level,) * 3)


@pytest.mark.parametrize(("alpha", "level"), [(0, 255), (128, 127), (255, 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_on_white(mode, alpha, level):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, alpha)).convert(mode)
    assert is_all(read(image), (level,) * 3)
    assert is_all(as_rgb(image), (level,) * 3)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_a_transparent_entry(kind):
    image = Image.new("P", (40, 40), 0)
    image.putpalette([*RED, 0, 0, 255])
    assert is_all(read(image, kind, transparency=0), WHITE)
    assert is_all(read(image, kind), RED)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, (0, 0, 255))]
    assert is_all(read(frames[0], kind, save_all=True, append_images=frames[1:]), RED, 12)


@pytest.mark.parametrize(("orientation", "size"), [(1, (60, 90)), (3, (60, 90)), (6, (90, 60)), (8, (90, 60))])
def test_orientation_of_the_camera_is_applied(orientation, size):
    image = Image.new("RGB", (60, 90), (0, 0, 255))
    image.paste(RED, (0, 0, 60, 20))  # along the top edge
    exif = image.getexif()
    exif[0x0112] = orientation
    upright = read(image, "JPEG", exif=exif)
    assert upright.size == size
    width, height = size
    edge = {1: (width // 2, 5), 3: (width // 2, height - 5), 6: (width - 5, height // 2), 8: (5, height // 2)}
    assert np.abs(np.subtract(upright.getpixel(edge[orientation]), RED)).max() < 12


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(201, 200), (12_000, 9_000), (60_000, 60_000)])  # Pillow warns about the second
def test_a_bomb_is_refused_before_it_is_decoded(size, monkeypatch):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(BadPictureError, match="40000"):
        read_picture(io.BytesIO(bomb), MAX_PIXELS)


def archive():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("poster.png", b"\x89PNG\r\n\x1a\n")
    return data.getvalue()


def whole(kind):
    data = io.BytesIO()
    Image.effect_noise((90, 90), 90).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><title>404</title>",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        archive(),
        whole("JPEG")[:500],
        whole("PNG")[:2000],
        whole("GIF")[:900],
        b"\x89PNG\r\n\x1a\nxx",
        b"RIFF0000WEBPxx",
        whole("BMP"),  # a picture, but not in a format of posters
        whole("TIFF"),
    ],
    ids=["empty", "html", "svg", "zip", "cut jpeg", "cut png", "cut gif", "no png", "no webp", "bmp", "tiff"],
)
def test_a_file_that_is_not_a_picture_is_reported(data, tmp_path):
    (tmp_path / "poster.jpg").write_bytes(data)
    with pytest.raises(BadPictureError, match="cannot be decoded"):
        read_picture(tmp_path / "poster.jpg", MAX_PIXELS)


def test_a_missing_file_is_not_a_bad_picture(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "poster.jpg", MAX_PIXELS)
