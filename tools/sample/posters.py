"""Generated film posters in the style of lithographs and art-deco prints, drawn with Pillow and NumPy.

A mood selects a family of palettes and layouts; the random generator chooses within the family, shifts the hues and
places every shape. The art is drawn enlarged on a `Sheet`, placed on paper with the film's title, reduced, given grain,
and encoded as a small JPEG or as a PNG with few colours. Equal arguments give equal bytes.
Conventions are those of poster_sheet; sizes in this module are pixels of the finished poster.
"""

import colorsys
import io
import re
import textwrap
import unicodedata
from collections.abc import Callable

import numpy as np
import poster_action
import poster_calm
import poster_dark
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from poster_sheet import Colour, Palette, Sheet

OVERSAMPLING = 3
SHORT_SIDES = {"jpg": (270, 380), "png": (250, 300)}
RATIOS = (2 / 3, 2 / 3, 27 / 40, 27 / 40, 0.7, 0.75, 0.62, 0.92, 1.0, 1.27, 1.4)  # width to height
PNG_SHARE = 0.25
UNTITLED_SHARE = 0.08
OVERPRINT_SHARE = 0.3
MAX_BYTES = 34_000
JPEG_QUALITIES = (82, 78, 72, 66, 60, 52)
PNG_COLOURS = (64, 48, 32, 24, 16, 12, 8)
LETTER_SIZE = 96
PAPER = (246, 238, 220)
PLAIN_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "œ": "oe", "–": "-", "—": "-", "’": "'"}
)
LAYOUTS = poster_action.LAYOUTS | poster_calm.LAYOUTS | poster_dark.LAYOUTS
PALETTES = {  # each: sky, haze, mid, dark, accent, light
    "battle": (
        "7a1f14 e8622a b0301c 1b1210 f2b233 f6e3bd",
        "c7b79a e07b39 8c2f1b 231a17 d63a1e f7ecd2",
        "2e2a2b a33a22 6b2118 0f0c0c f08a24 f3d9a4",
        "d9a441 c4451f 7d1d14 1d1716 e3351b fff1cf",
    ),
    "hurry": (
        "f0e4c8 f4a259 d1495b 1f2a36 edae49 ffffff",
        "dfe7e4 8ab6c4 2f6690 16242f e4572e fbf7ea",
        "f2d7a0 e98a3a b5482a 2a211f 1f7a8c fff6e0",
        "c9d6df 6d8ea0 33475b 10161d f25f3a f5f5f0",
    ),
    "love": (
        "f7d6cf f4a9a8 d8737f 5b2333 c0455e fff4ea",
        "f3c9b5 f0b8a0 c76b78 472d44 e8a0a8 fff1dc",
        "e6c3d8 f5d6c6 b3688f 3d2345 e07a8b fdeff0",
        "6b4a86 d98aa0 a4688f 2a1840 f2b8a6 fde6d3",
    ),
    "sorrow": (
        "8d99a6 c3c9cc 5b6b7a 222b35 9a8f86 e4e5e1",
        "5f6f80 97a5ae 3f4c5a 171d25 7f8fa6 cfd6d8",
        "a7aaa8 d0cfc8 6d7173 2a2c30 6b7f94 ecebe4",
        "4b566b 7f8aa0 343c50 141822 a8a39a c9cfda",
    ),
    "mystery": (
        "121a2e 2f4a63 1d2c44 07090f e9d98a d9e3e0",
        "1b1530 4b3a6b 2a2148 08060f f0cf7a d8cfe6",
        "0e2426 2c5a58 173a3b 040b0c e6d27a d2e6dc",
        "1a1a1f 46454c 2b2b31 060607 dfb765 d9d6cc",
    ),
    "terror": (
        "1a0d0d 7b1414 2b1210 050303 d4161a d9c9a8",
        "0c1a10 2f5d2a 15301a 030604 c8d92e e1e6c0",
        "2b0f14 8c1a1a 3a1216 070304 9acd32 efe0c0",
        "a01515 d8431c 5a0d0d 0a0404 f0e040 f3e3c3",
    ),
    "noble": (
        "e9dcb8 f6ecc9 b08d3c 2b2340 8a1f2d fffaec",
        "27335f d9b65a 4b5a93 131938 e3c878 fbf3da",
        "d8c9a0 f3e3b0 8f6f2e 2a1f14 5a2a6b fff6df",
        "5a1f3a d8a94f 7f3a55 24101a f0d48a fdf2dd",
    ),
    "festive": (
        "2a1650 8d2f7f d63a7a 150b2b f9c22e fdf0c8",
        "0f3d5c e4572e 2a7f9e 0a1f30 ffd166 fff4d6",
        "7b1e4f f26d3d c22d5f 2c0b22 3ec1b8 fff0d0",
        "f7e2b0 f29e4c d9376e 3a1c48 1d9a8a fffaf0",
    ),
    "pastoral": (
        "bfe0e8 f8e7b0 7fae62 2f4f3a e2a53a fffbe9",
        "f4d9a0 f9efc9 a5b45a 3d5230 d97b3a fff9e6",
        "9fc7d9 e9efd0 5f9a72 28473f f0c24a f8f6e4",
        "f0c7a8 fbe6bf 86a86b 40533c c8643c fffaf0",
    ),
    "comic": (
        "fdd835 fff3b0 1e88e5 1a1a2a e53935 ffffff",
        "4fc3f7 fff8d6 e53935 1b1b2b ffd21f ffffff",
        "ff8a3d fff0cf 0f9d8a 221b2b 2b4acb ffffff",
        "f25c78 fff2d8 ffd23f 241a33 1fa5b8 ffffff",
    ),
}


def poster(film: dict, rng: Generator, mood: str) -> tuple[bytes, str]:
    """The poster of a film in a mood: the picture's bytes and its extension, "jpg" or "png"."""
    extension = "png" if rng.uniform() < PNG_SHARE else "jpg"
    palette = shifted(read_palette(PALETTES[mood][rng.integers(len(PALETTES[mood]))]), rng)
    width, height = poster_size(rng, SHORT_SIDES[extension])
    picture = compose(film, rng, mood, palette, (width * OVERSAMPLING, height * OVERSAMPLING))
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    picture = printed(picture, rng)
    return (encode_png if extension == "png" else encode_jpeg)(picture), extension


def poster_size(rng: Generator, short_sides: tuple[int, int]) -> tuple[int, int]:
    short, ratio = int(rng.integers(short_sides[0], short_sides[1] + 1)), float(rng.choice(RATIOS))
    return (short, round(short / ratio)) if ratio <= 1 else (round(short * ratio), short)


def read_palette(text: str) -> Palette:
    return Palette(*(tuple(bytes.fromhex(colour)) for colour in text.split()))


def shifted(palette: Palette, rng: Generator) -> Palette:
    """The palette with hue, saturation and brightness shifted a little, equally for all colours."""
    hue, saturation, value = rng.normal(0, 0.018), rng.uniform(0.85, 1.1), rng.uniform(0.93, 1.06)

    def move(colour: Colour) -> Colour:
        h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
        moved = colorsys.hsv_to_rgb((h + hue) % 1, min(1, s * saturation), min(1, v * value))
        return tuple(int(255 * channel) for channel in moved)

    return Palette(*map(move, palette))


def compose(film: dict, rng: Generator, mood: str, palette: Palette, size: tuple[int, int]) -> Image.Image:
    """Paper, art and lettering."""
    layout = LAYOUTS[mood][rng.integers(len(LAYOUTS[mood]))]
    width, height = size
    titled, overprint = rng.uniform() >= UNTITLED_SHARE, rng.uniform() < OVERPRINT_SHARE
    margin = int(min(size) * rng.choice((0, 0.03, 0.045, 0.06)))
    panel = int(max(height * 0.15, min(size) * 0.22) * rng.uniform(1, 1.4)) if titled and not overprint else 0
    at_top = rng.uniform() < 0.35
    paper = (PAPER, palette.light, palette.dark, palette.mid)[rng.choice(4, p=(0.3, 0.25, 0.3, 0.15))]
    art = Sheet(rng, (width - 2 * margin, height - 2 * margin - panel), palette)
    layout(art)
    picture = Image.new("RGB", size, paper)
    top = margin + (panel if at_top else 0)
    picture.paste(art.image, (margin, top))
    ink = readable(paper, palette)
    if panel:
        edge = 0 if at_top else height - margin - panel
        lettering(picture, film, rng, (margin, edge, width - margin, edge + margin + panel), ink, None)
    elif titled:
        band = int(max(height * 0.2, min(size) * 0.28))
        edge = margin if at_top else height - margin - band
        box = (margin, edge, width - margin, edge + band)
        lettering(picture, film, rng, box, palette.light, palette.dark)
    if margin:
        frame(picture, margin, top, art.height, ink, rng)
    return picture


def luminance(colour: Colour) -> float:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def readable(paper: Colour, palette: Palette) -> Colour:
    """The palette's colour for lettering: the accent if it stands out from the paper, else the most different one."""
    if abs(luminance(palette.accent) - luminance(paper)) > 95:
        return palette.accent
    return max(palette, key=lambda colour: abs(luminance(colour) - luminance(paper)))


def frame(picture: Image.Image, margin: int, top: int, height: int, ink: Colour, rng: Generator) -> None:
    """Ruled lines around the art, some with stepped corners."""
    draw, width = ImageDraw.Draw(picture), picture.width
    box = (margin, top, width - margin - 1, top + height - 1)
    draw.rectangle(box, outline=ink, width=max(2, margin // 8))
    if rng.uniform() < 0.5:
        inset = margin // 2
        draw.rectangle((inset, inset, width - inset, picture.height - inset), outline=ink, width=max(2, margin // 10))
        for x in (inset, width - inset):
            for y in (inset, picture.height - inset):
                draw.rectangle((x - inset // 2, y - inset // 2, x + inset // 2, y + inset // 2), fill=ink)


def lettering(
    picture: Image.Image, film: dict, rng: Generator, box: tuple[int, int, int, int], ink: Colour, shadow: Colour | None
) -> None:
    """The title, wrapped and stretched to its box, over a small line of credits."""
    left, top, right, bottom = box
    width, height = 0.88 * (right - left), bottom - top
    title = plain(re.sub(r" \([^)]*\)$", "", film["title"])).upper()
    credit = plain(str(rng.choice((f"{film['year']}", f"{film['directors'][0]} - {film['year']}"))))
    weight = int(rng.integers(1, 6))
    masks = [letters(line, weight) for line in wrapped(title)]
    room = height * 0.64 / len(masks)
    tall = rng.uniform(0.8, max(0.9, 1.9 - 0.3 * len(masks)))
    scale = min(room * 0.92 / (LETTER_SIZE * tall), *(width / mask.width for mask in masks))
    y = top + height * 0.1 + (height * 0.64 - len(masks) * scale * LETTER_SIZE * tall / 0.92) / 2
    for mask in masks:
        stamp(picture, mask, (left + right) / 2, y, scale, tall, ink, shadow)
        y += scale * LETTER_SIZE * tall / 0.92
    small = letters(credit, weight=0)
    scale = min(height * 0.13 / LETTER_SIZE, width / small.width)
    stamp(picture, small, (left + right) / 2, top + height * 0.76, scale, 1, ink, shadow)


def plain(text: str) -> str:
    """Text without accents, which Pillow's built-in font lacks."""
    folded = unicodedata.normalize("NFKD", text.translate(PLAIN_LETTERS))
    return folded.encode("ascii", "ignore").decode()


def wrapped(title: str) -> list[str]:
    """A few lines of similar length."""
    lines = 1 if len(title) <= 13 else 2 if len(title) <= 30 else 3
    return textwrap.wrap(title, max(len(title) // lines + 3, *map(len, title.split())))


def letters(text: str, weight: int) -> Image.Image:
    """A mask of a line of text, thickened by `weight` pixels."""
    font = ImageFont.load_default(LETTER_SIZE)
    left, _, right, _ = font.getbbox(text, stroke_width=weight)
    mask = Image.new("L", (int(right - left) + 2, int(LETTER_SIZE * 1.05)))
    ImageDraw.Draw(mask).text((-left, -LETTER_SIZE * 0.12), text, font=font, fill=255, stroke_width=weight)
    return mask


def stamp(
    picture: Image.Image,
    mask: Image.Image,
    centre: float,
    top: float,
    scale: float,
    tall: float,
    ink: Colour,
    shadow: Colour | None,
) -> None:
    """Draw a line's mask on the picture in ink, over a shadow if given."""
    mask = mask.resize((max(1, int(mask.width * scale)), max(1, int(mask.height * scale * tall))))
    x, y, drop = int(centre - mask.width / 2), int(top), max(2, int(mask.height * 0.06))
    if shadow:
        halo = mask.filter(ImageFilter.MaxFilter(2 * drop + 1))
        picture.paste(shadow, (x + drop // 2, y + drop), mask)
        picture.paste(shadow, (x, y), halo)
    picture.paste(ink, (x, y), mask)


def printed(picture: Image.Image, rng: Generator) -> Image.Image:
    """The marks of print and age: mottled ink, paper grain, darker edges, and sometimes a halftone screen."""
    width, height = picture.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    coarse = Image.fromarray(rng.uniform(0, 255, (height // 45 + 2, width // 45 + 2)).astype(np.uint8))
    mottle = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255 - 0.5
    grain = rng.normal(0, 1, (height, width)).astype(np.float32)
    light = 1 + rng.uniform(0.03, 0.1) * mottle + rng.uniform(0.005, 0.022) * grain
    if rng.uniform() < 0.3:
        pitch = rng.uniform(1.1, 1.6)
        light += 0.05 * np.sin((x + y) * pitch) * np.sin((x - y) * pitch)
    radius = np.hypot(x / width - 0.5, y / height - 0.5)
    light *= 1 - rng.uniform(0, 0.35) * np.clip(radius - 0.35, 0, 1)
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) * light[..., None], 0, 255).astype(np.uint8))


def encode_jpeg(picture: Image.Image) -> bytes:
    return first_small(lambda quality: saved(picture, "JPEG", quality=quality, optimize=True), JPEG_QUALITIES)


def encode_png(picture: Image.Image) -> bytes:
    return first_small(
        lambda colours: saved(picture.quantize(colours, dither=Image.Dither.NONE), "PNG", optimize=True), PNG_COLOURS
    )


def first_small(encode: Callable[[int], bytes], settings: tuple[int, ...]) -> bytes:
    """The first encoding that fits MAX_BYTES, else the last."""
    for setting in settings:
        data = encode(setting)
        if len(data) <= MAX_BYTES:
            break
    return data


def saved(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
