"""The image table: one vector per square crop of a film's poster, films in the order of the data set.

Crop 0 is the centre; training may sample any crop, everything else uses the centre. Threads decode posters while others
are encoded.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.core.ahead import ahead
from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.core.machine import Machine, choose_device
from pipeline.core.on_device import preparers
from pipeline.core.workers import batches
from pipeline.encoders.image import ImageEncoder, load_image_encoder
from pipeline.encoders.section import ImageFeatures
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.inputs import film_rows, read_poster
from pipeline.store.table import IMAGE_KEYS, write_features

GROUP_FILMS = 256  # encoded and cached at a time
GROUP_ROWS = 8192  # films per row group

Row = dict[str, Any]


def write_image_features(root: Path, path: Path, dataset: list[Row], params: ImageFeatures, machine: Machine) -> int:
    """Write the vectors of the posters of the films of `dataset` to `path`; return the number of posters encoded.

    Raises `MissingFileError` if a poster is missing or damaged, `ModelError` if the encoder is unusable.
    """
    encoder = load_image_encoder(params, choose_device(machine.device), machine.image_batch_size)
    films = [film for film in film_rows(dataset) if film["image"]]
    about = {"spec": encoder.spec | {"crops": params.crops}, "versions": versions("torch", "transformers", "pillow")}
    cache = open_cache(path.parent, path.stem, about)
    digests = {film["fid"]: _digest(root, film) for film in films}
    by_key = {digests[film["fid"]]: film for film in films}
    missing = cache.missing(by_key)
    with tqdm(total=len(missing), desc="posters", unit="", disable=None) as progress:
        vectors = _encoded(root, encoder, [by_key[key] for key in missing], params.crops)
        for keys, of_films in zip(batches(missing, GROUP_FILMS), vectors, strict=True):
            cache.add(write_shard(cache.folder, dict(zip(keys, of_films, strict=True))))
            progress.update(len(keys))
    write_features(path, IMAGE_KEYS, _groups(cache, films, digests), encoder.width, np.float32, about)
    return len(missing)


def _encoded(root: Path, encoder: ImageEncoder, films: list[Row], crops: int) -> Iterator[list[np.ndarray]]:
    """Yield the vectors [crops, f] of each film's poster, for `GROUP_FILMS` films at a time."""
    ends: deque[np.ndarray] = deque()  # ends of the films' crops, for groups being encoded

    def groups() -> Iterator[list[Image.Image]]:
        posters = ahead(partial(_squares, root, encoder, crops), films, preparers(encoder.device))
        for group in batches(posters, GROUP_FILMS):
            ends.append(np.cumsum([len(squares) for squares in group]))
            yield [square for squares in group for square in squares]

    for vectors in encoder.encode_groups(groups()):
        yield np.split(vectors, ends.popleft()[:-1])


def _squares(root: Path, encoder: ImageEncoder, crops: int, film: Row) -> list[Image.Image]:
    return encoder.crops(read_poster(root / film["image"]), crops)


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
