"""The inputs of a film for encoders: its texts, as in the text table, and its poster.

Posters are the files written by `parse`, JPEG in RGB.
"""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.core.errors import MissingFileError
from pipeline.core.variants import FILM_PARTS, INPUTS, apart, known_parts

NEEDS: dict[str, tuple[str, ...]] = {name: tuple(apart([name])) for name in INPUTS}  # film parts by input
MAX_PIXELS = 50_000_000  # parse writes posters of about 224 px
FORMATS = ("JPEG", "PNG")
DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # raised by Pillow for damaged files

Row = dict[str, Any]


def needs_of(inputs: Collection[str]) -> tuple[str, ...]:
    """Return those of `FILM_PARTS` that a model of `inputs` needs."""
    return tuple(part for part in FILM_PARTS if any(part in NEEDS[name] for name in inputs))


def film_rows(dataset: Iterable[Row]) -> list[Row]:
    """Return the first row of each film, in order of first appearance."""
    rows: dict[str, Row] = {}
    for row in dataset:
        rows.setdefault(row["fid"], row)
    return list(rows.values())


def known_inputs(film: Row, inputs: Iterable[str]) -> list[str]:
    """Return those of `inputs` that a film has."""
    known = known_parts(film)
    return [name for name in inputs if all(part in known for part in NEEDS[name])]


def film_texts(film: Row, inputs: Collection[str]) -> list[tuple[Row, str]]:
    """Return the key row and the text of each text row of a film's `inputs`; missing inputs have none."""
    return [
        ({"fid": film["fid"], "input": name, "paragraph": number, "sha256": digest_of_text(text)}, text)
        for name, found in input_texts(film["tags"], film["plot"]).items()
        if name in inputs
        for number, text in enumerate(found)
    ]


def input_texts(tags: str, plot: str) -> dict[str, list[str]]:
    """Return the texts of each text input: one for the tags, and one per paragraph of the plot.

    Without words in `tags` or `plot`, the inputs that need them have none.
    """
    paragraphs = [paragraph.strip() for paragraph in plot.split("\n") if paragraph.strip()]
    return {
        "tags": [tags] if tags.strip() else [],
        "plot": paragraphs,
        "tags_plot": [tags_plot_text(tags, paragraph) for paragraph in paragraphs] if tags.strip() else [],
    }


def tags_plot_text(tags: str, paragraph: str) -> str:
    """Return tags and one paragraph of the plot as one text, in the form of the published method."""
    return f"<DESCR> {tags} <PLOT> {paragraph}"


def digest_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_poster(path: Path) -> Image.Image:
    """Return the image at `path` in RGB; raise `MissingFileError` if it is missing or damaged."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"found {image.width} x {image.height} px, allowed are {MAX_PIXELS} px")
            return image.convert("RGB")
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro parse`") from None
    except DAMAGE as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and run `dvc repro parse`") from None
