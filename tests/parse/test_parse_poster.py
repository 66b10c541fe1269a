import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline.parse.poster import BadPosterError, save_blank, save_poster
from pipeline.parse.section import Parse

PARSE = Parse(
    tags="words",
    missing="leave_out",
    short_side=32,
    jpeg_quality=92,
    max_pixels=40_000,
    min_success_rate=0.5,
)


def saved(tmp_path, image, kind="PNG", **options):
    image.save(tmp_path / "poster", kind, **options)
    save_poster(tmp_path / "poster", tmp_path / "out/AAA.jpg", PARSE)
    with Image.open(tmp_path / "out/AAA.jpg") as result:
        assert (result.format, result.mode) == ("JPEG", "RGB")
        return np.asarray(result).astype(int)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((60, 90), (32, 48)), ((90, 60), (48, 32)), ((32, 33), (32, 33)), ((8, 9), (32, 36)), ((100, 101), (32, 32))],
)
def test_shorter_side_is_exact_and_proportion_kept(tmp_path, size, expected):
    height, width, _ = saved(tmp_path, Image.new("RGB", size, (10, 200, 30))).shape
    assert (width, height) == expected


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("P", "GIF"), ("RGB", "WEBP")]
)
def test_colour_survives_every_mode(tmp_path, mode, kind):
    image = Image.new("RGB", (40, 50), (204, 51, 51)).convert(mode)
    assert np.abs(saved(tmp_path, image, kind) - (204, 51, 51)).max() < 12


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_gray_of_every_depth(tmp_path, mode):
    image = Image.new("L", (40, 50), 128 if mode != "1" else 255)
    if mode == "I;16":
        image = Image.fromarray(np.full((50, 40), 128 * 257, np.uint16))
    expected = 255 if mode == "1" else 128
    assert np.abs(saved(tmp_path, image.convert(mode)) - expected).max() <= 2


def test_transparent_parts_are_white(tmp_path):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert saved(tmp_path, image).min() > 250
    half = Image.new("RGBA", (40, 40), (0, 0, 0, 128))
    assert np.abs(saved(tmp_path, half) - 127).max() <= 2
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert saved(tmp_path, palette, transparency=0).min() > 250


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ((0, 0, 255), (255, 0, 0))]
    result = saved(tmp_path, frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(result - (0, 0, 255)).max() < 12


def test_orientation_of_the_camera_is_applied(tmp_path):
    image = Image.new("RGB", (60, 90))
    exif = image.getexif()
    exif[0x0112] = 6  # rotated by 90°
    height, width, _ = saved(tmp_path, image, "JPEG", exif=exif).shape
    assert (width, height) == (48, 32)


@pytest.mark.filterwarnings("error")
def test_size_is_refused_before_decoding(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for width, height in (
        (201, 200),
        (12_000, 9_000),
        (60_000, 60_000),
    ):  # Pillow warns about the second and refuses the third
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        (tmp_path / "bomb").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
        with pytest.raises(BadPosterError, match="40000"):
            save_poster(tmp_path / "bomb", tmp_path / "AAA.jpg", PARSE)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (2, 3000)])
def test_a_strip_does_not_blow_up(tmp_path, size):
    with pytest.raises(BadPosterError, match="narrow"):
        saved(tmp_path, Image.new("RGB", size))


@pytest.mark.filterwarnings("error")
def test_damaged_camera_metadata_do_not_matter(tmp_path):
    image = Image.new("RGB", (60, 90), (10, 200, 30))
    turned = b"\x12\1\3\0\1\0\0\0\6\0\0\0"
    for note in (
        b"Exif\0\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\2\0" + turned + b"2\1\5\0\1\0\0\0\x32\0\0\0" + bytes(99),
        b"Exif\0\0II*\0\x08\0\0\0\2\0" + turned + b"\x1a\1\7\0\1\0\0\0\x32\0\0\0" + bytes(99),
    ):
        height, width, _ = saved(tmp_path, image, "JPEG", exif=note).shape
        assert (width, height) == (32, 48)


@pytest.mark.parametrize(("width", "height"), [(10, 10), (60_000, 60_000)])
def test_a_frame_larger_than_its_gif(tmp_path, width, height):
    frame = struct.pack("<cHHHHB", b",", 0, 0, width, height, 0)
    (tmp_path / "gif").write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame + b"\2\1\0\0;"
    )
    with pytest.raises(BadPosterError):
        save_poster(tmp_path / "gif", tmp_path / "AAA.jpg", PARSE)


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparent_entries(tmp_path):
    image = Image.new("P", (40, 40), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert np.abs(saved(tmp_path, image, transparency=b"\0\xff") - 255).max() <= 2
    image.putdata([1] * 1600)
    assert np.abs(saved(tmp_path, image, transparency=b"\0\xff") - (0, 0, 255)).max() <= 2


def test_broken_files_are_reported_and_leave_nothing(tmp_path):
    data = io.BytesIO()
    Image.effect_noise((90, 90), 90).save(data, "JPEG")
    for number, broken in enumerate((b"", b"<html>", data.getvalue()[:500], b"\x89PNG\r\n\x1a\nxx", b"RIFF0000WEBPxx")):
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(BadPosterError, match="cannot be decoded"):
            save_poster(tmp_path / "broken", tmp_path / "out/AAA.jpg", PARSE)
        assert not list(tmp_path.glob("out/*")), number
    with pytest.raises(BadPosterError):
        save_poster(tmp_path / "missing", tmp_path / "out/AAA.jpg", PARSE)


def test_blank_is_a_white_square(tmp_path):
    save_blank(tmp_path / "AAA.jpg", PARSE)
    with Image.open(tmp_path / "AAA.jpg") as image:
        assert image.size == (32, 32)
        assert np.asarray(image).min() == 255
