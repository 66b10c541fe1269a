"""The image table: a vector of each square cut out of a film's poster, films in the order of the data set.

Square 0 is the centre; training may draw any, all else reads the centre.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import batches
from pipeline.encoders.image import ImageEncoder, load_image_encoder
from pipeline.encoders.section import ImageFeatures
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.inputs import film_rows, read_poster
from pipeline.store.table import IMAGE_KEYS, write_features

GROUP_FILMS = 256  # encoded and kept at a time
GROUP_ROWS = 8192  # films whose vectors are a row group

Row = dict[str, Any]


def write_image_features(root: Path, path: Path, dataset: list[Row], params: ImageFeatures, machine: Machine) -> int:
    """Write the vectors of the posters of the films of `dataset` to `path`; return how many had to be encoded.

    Raises `MissingFileError` for a poster that is missing or damaged, `ModelError` for an encoder that cannot be used.
    """
    encoder = load_image_encoder(params, choose_device(machine.device), machine.image_batch_size)
    films = [film for film in film_rows(dataset) if film["image"]]
    about = {"spec": encoder.spec | {"crops": params.crops}, "versions": versions("torch", "transformers", "pillow")}
    cache = open_cache(path.parent, path.stem, about)
    digests = {film["fid"]: _digest(root, film) for film in films}
    by_key = {digests[film["fid"]]: film for film in films}
    missing = cache.missing(by_key)
    with tqdm(total=len(missing), desc="posters", unit="", disable=None) as progress:
        for keys in batches(missing, GROUP_FILMS):
            vectors = _encode(root, encoder, [by_key[key] for key in keys], params.crops)
            cache.add(write_shard(cache.folder, dict(zip(keys, vectors, strict=True))))
            progress.update(len(keys))
    write_features(path, IMAGE_KEYS, _groups(cache, films, digests), encoder.width, np.float32, about)
    return len(missing)


def _encode(root: Path, encoder: ImageEncoder, films: list[Row], crops: int) -> list[np.ndarray]:
    """Return the vectors [squares, f] of each film's poster."""
    squares = [encoder.crops(read_poster(root / film["image"]), crops) for film in films]
    ends = np.cumsum([len(of_film) for of_film in squares])
    return np.split(encoder.encode([square for of_film in squares for square in of_film]), ends[:-1])


def _groups(cache: FeatureCache, films: list[Row], digests: dict[str, str]) -> Iterator[tuple[list[Row], np.ndarray]]:
    for group in batches(films, GROUP_ROWS):
        vectors = [cache.read(digests[film["fid"]]) for film in group]
        keys = [
            {"fid": film["fid"], "crop": crop, "sha256": digests[film["fid"]]}
            for film, of_film in zip(group, vectors, strict=True)
            for crop in range(len(of_film))
        ]
        yield keys, np.concatenate(vectors)


def _digest(root: Path, film: Row) -> str:
    try:
        return sha256_of(root / film["image"])
    except FileNotFoundError:
        raise MissingFileError(f"{root / film['image']} is missing: run `dvc repro parse`") from None
