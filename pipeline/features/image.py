"""The image table: one vector a film, in the order in which films first appear in the data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from pipeline.errors import MissingFileError
from pipeline.features.image_encoder import ImageEncoder, load_image_encoder
from pipeline.features.rows import batches, one_row_a_film, versions
from pipeline.features.table import IMAGE_KEYS, write_features
from pipeline.sections import ImageFeatures

GROUP_BATCHES = 32  # of vectors written at a time


def write_image_features(
    root: Path, path: Path, dataset: list[dict[str, Any]], params: ImageFeatures, device: torch.device
) -> int:
    """Write the vectors of the posters of the films of `dataset` to `path` and return their number.

    Raises `MissingFileError` for a poster that is missing or damaged, `ModelError` for an encoder that cannot be used.
    """
    encoder = load_image_encoder(params, device)
    films = one_row_a_film(dataset)
    groups = _groups(root, films, encoder, params.batch_size)
    about = {"spec": encoder.spec, "versions": versions("torch", "transformers", "pillow")}
    write_features(path, IMAGE_KEYS, groups, encoder.width, np.float32, about)
    return len(films)


def read_image(path: Path) -> Image.Image:
    """Return the picture at `path`, decoded; raise `MissingFileError` when it is missing or damaged."""
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: run `dvc repro parse`") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # as Pillow's readers raise them
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and run `dvc repro parse`") from None


def _groups(
    root: Path, films: list[dict[str, Any]], encoder: ImageEncoder, batch_size: int
) -> Iterator[tuple[list[dict[str, Any]], np.ndarray]]:
    with tqdm(total=len(films), desc="posters", unit="", disable=None) as progress:
        for group in batches(films, GROUP_BATCHES * batch_size):
            vectors = []
            for batch in batches(group, batch_size):
                vectors.append(encoder.encode([_poster(root, film) for film in batch]))
                progress.update(len(batch))
            yield [{"fid": film["fid"]} for film in group], np.concatenate(vectors)


def _poster(root: Path, film: dict[str, Any]) -> Image.Image:
    if not film["image"]:
        raise MissingFileError(f"data/dataset.parquet names no image of {film['fid']}: run `dvc repro parse split`")
    return read_image(root / film["image"])
