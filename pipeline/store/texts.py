"""The texts of a film, as the text table lists them and as fine-tuning reads them."""

import hashlib
from collections.abc import Iterable
from typing import Any

from pipeline.core.errors import MissingFileError

Row = dict[str, Any]


def one_row_a_film(dataset: Iterable[Row]) -> list[Row]:
    """Return the first row of each film, in order of first appearance."""
    rows: dict[str, Row] = {}
    for row in dataset:
        rows.setdefault(row["fid"], row)
    return list(rows.values())


def film_texts(film: Row) -> list[tuple[Row, str]]:
    """Return the key row and the text of each row of a film; raise `MissingFileError` when it lacks tags or plot."""
    texts = input_texts(film["tags"], film["plot"])
    for name, found in texts.items():
        if not found:
            raise MissingFileError(f"data/dataset.parquet has no {name} of {film['fid']}: run `dvc repro parse split`")
    return [
        ({"fid": film["fid"], "input": name, "paragraph": number, "sha256": digest_of_text(text)}, text)
        for name, found in texts.items()
        for number, text in enumerate(found)
    ]


def input_texts(tags: str, plot: str) -> dict[str, list[str]]:
    """Return the texts of each input that is made of text: one of the tags, and one a paragraph of the plot.

    An input for which `tags` or `plot` lack words has none.
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
