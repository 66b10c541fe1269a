"""The text table: vectors of a film's tags and of each paragraph of its plot.

Films are in the order of their first appearance in the data set, a film's tags before its plot. The input `tags_plot`
has no rows, as a frozen encoder does not know its marks; its parts are used instead.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import batches
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.text import load_text_encoder
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.inputs import film_rows, film_texts
from pipeline.store.table import TEXT_KEYS, write_features

GROUP_TEXTS = 1024  # sorted by length, encoded and cached at a time
GROUP_ROWS = 8192  # per row group

Row = dict[str, Any]


def write_text_features(path: Path, dataset: list[Row], params: TextFeatures, machine: Machine) -> int:
    """Write the vectors of the texts of the films of `dataset` to `path`; return the number of texts encoded.

    Raises `ModelError` if the encoder is unusable.
    """
    texts = [item for film in film_rows(dataset) for item in film_texts(film, ("tags", "plot"))]
    encoder = load_text_encoder(params, choose_device(machine.device), machine.text_batch_size)
    about = {"spec": encoder.spec, "versions": versions("torch", "transformers", "tokenizers")}
    cache = open_cache(path.parent, path.stem, about)
    by_key = {key["sha256"]: text for key, text in texts}
    missing = cache.missing(by_key)
    with tqdm(total=len(missing), desc="texts", unit="", disable=None) as progress:
        groups = list(batches(missing, GROUP_TEXTS))
        encoded = encoder.encode_groups([by_key[key] for key in keys] for keys in groups)
        for keys, vectors in zip(groups, encoded, strict=True):
            cache.add(write_shard(cache.folder, dict(zip(keys, vectors[:, np.newaxis], strict=True))))
            progress.update(len(keys))
    rows = _groups(cache, [key for key, _ in texts])
    write_features(path, TEXT_KEYS, rows, encoder.width, np.float32, about)
    return len(missing)


def _groups(cache: FeatureCache, keys: list[Row]) -> Iterator[tuple[list[Row], np.ndarray]]:
    for group in batches(keys, GROUP_ROWS):
        yield group, np.concatenate([cache.read(key["sha256"]) for key in group])
