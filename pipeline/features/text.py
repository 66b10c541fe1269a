"""The text table: vectors of a film's tags, of each paragraph of its plot, and of each paragraph behind the tags.

Films come in the order in which they first appear in the data set, a film's rows in the order tags, plot, tags_plot.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from pipeline.errors import MissingFileError
from pipeline.features.rows import batches, one_row_a_film, versions
from pipeline.features.table import TEXT_KEYS, write_features
from pipeline.features.text_encoder import TextEncoder, load_text_encoder
from pipeline.sections import TextFeatures

GROUP_BATCHES = 32  # of texts, sorted by length and written at a time


def write_text_features(path: Path, dataset: list[dict[str, Any]], params: TextFeatures, device: torch.device) -> int:
    """Write the vectors of the texts of the films of `dataset` to `path` and return their number.

    Raises `MissingFileError` for a film without tags or plot, `ModelError` for an encoder that cannot be used.
    """
    texts = [item for film in one_row_a_film(dataset) for item in film_texts(film)]
    encoder = load_text_encoder(params, device)
    about = {"spec": encoder.spec, "versions": versions("torch", "transformers", "tokenizers")}
    groups = _groups(texts, encoder, params.batch_size)
    write_features(path, TEXT_KEYS, groups, encoder.width, np.float32, about)
    return len(texts)


def film_texts(film: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return the key row and the text of each row of a film; raise `MissingFileError` when it lacks tags or plot."""
    paragraphs = [paragraph.strip() for paragraph in film["plot"].split("\n") if paragraph.strip()]
    texts = {
        "tags": [film["tags"]] if film["tags"].strip() else [],
        "plot": paragraphs,
        "tags_plot": [tags_plot_text(film["tags"], paragraph) for paragraph in paragraphs],
    }
    for name, found in texts.items():
        if not found:
            raise MissingFileError(f"data/dataset.parquet has no {name} of {film['fid']}: run `dvc repro parse split`")
    return [
        ({"fid": film["fid"], "input": name, "paragraph": number}, text)
        for name, found in texts.items()
        for number, text in enumerate(found)
    ]


def tags_plot_text(tags: str, paragraph: str) -> str:
    """Return tags and one paragraph of the plot as one text, in the form of the published method."""
    return f"<DESCR> {tags} <PLOT> {paragraph}"


def _groups(
    texts: list[tuple[dict[str, Any], str]], encoder: TextEncoder, batch_size: int
) -> Iterator[tuple[list[dict[str, Any]], np.ndarray]]:
    with tqdm(total=len(texts), desc="texts", unit="", disable=None) as progress:
        for group in batches(texts, GROUP_BATCHES * batch_size):
            keys, group_texts = zip(*group, strict=True)
            yield list(keys), encoder.encode(group_texts)
            progress.update(len(group))
