"""Embed segments of music as unit vectors, by the same rule as tracks of the data set."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from pipeline.apps.library.decode import segment_key
from pipeline.apps.library.progress import Report, progress
from pipeline.apps.library.recipe import Recipe, extractor, load_encoder, recipe_of
from pipeline.apps.library.segments import UnusableError, cut_file
from pipeline.apps.library.table import Row
from pipeline.apps.recommend.trained import Model
from pipeline.apps.recommend.zero_shot import ZeroShot
from pipeline.core.errors import ModelError
from pipeline.core.machine import cpu_threads
from pipeline.core.on_device import overlaps
from pipeline.core.workers import batches
from pipeline.encoders.joint import direction
from pipeline.model.embed import Tracks, embed_tracks
from pipeline.model.store import load_model
from pipeline.params import Params
from pipeline.store.cache import FeatureCache, write_shard

GROUP_FILES = 64  # files per shard; a killed run loses at most one shard


def embed_all(
    model: Model,
    recipe: Recipe,
    facts: Mapping[str, Row],
    features: FeatureCache,
    vectors: FeatureCache,
    params: Params,
    device: torch.device,
    report: Report,
) -> None:
    """Embed the files of `facts`, by digest, that are not in `vectors` yet: [segments, e] per file.

    The features of their segments are in `features`. On a CPU each file is embedded by itself, so its vectors are the
    same, to the last bit, whatever the other files. On a GPU, which would otherwise be mostly idle, `GROUP_FILES` files
    are embedded together, and vectors may differ by the rounding of float32.
    """
    missing = vectors.missing(sha256 for sha256, found in facts.items() if found["segments"])
    if not missing:
        return
    embed, together = _embedder(model, params, device), GROUP_FILES if overlaps(device) else 1
    with progress(report, "embedding", model.label, len(missing)) as update:
        for group in batches(missing, GROUP_FILES):
            arrays: dict[str, np.ndarray] = {}
            for files in batches(group, together):
                keys = [[segment_key(sha256, start) for start, *_ in facts[sha256]["segments"]] for sha256 in files]
                segments = [key for of_file in keys for key in of_file]
                found = embed(Tracks(segments, map(features.read, segments)))
                ends = np.cumsum([len(of_file) for of_file in keys])
                arrays |= zip(files, np.split(found, ends[:-1]), strict=True)
                update(len(files))
            vectors.add(write_shard(vectors.folder, arrays))


def embed_file(path: Path, model: Model, params: Params, device: torch.device) -> np.ndarray:
    """Return the unit vector [e], float32, of an audio file: the normalized mean of its segments' vectors.

    Raises `ModelError` with the reason for a file that has no segments.
    """
    recipe = recipe_of(model, params)
    extract = extractor(recipe, load_encoder(recipe, device, params.machine.audio_batch_size))
    arrays: list[np.ndarray] = []
    try:
        cut_file(path, recipe.cutting, lambda start, samples: arrays.append(extract([samples])[0][0]))
    except UnusableError as error:
        raise ModelError(f"{path} cannot be used: {error.reason}") from None
    total = _embedder(model, params, device)(Tracks([str(path)] * len(arrays), arrays)).sum(axis=0)
    return total / np.linalg.norm(total)


def _embedder(model: Model, params: Params, device: torch.device) -> Callable[[Tracks], np.ndarray]:
    """Return the function from segments to their vectors [segments, e].

    Uses as many threads as training, since small batches of small models are fastest in one. The features of a joint
    encoder are the vectors of a segment's windows.
    """
    if isinstance(model, ZeroShot):
        return lambda segments: np.stack([direction(windows) for windows in segments.arrays])
    network, config = load_model(model.folder)

    def embed(segments: Tracks) -> np.ndarray:
        with cpu_threads(params.train.threads):
            return embed_tracks(network, segments, config, params.machine.embed_batch_size, device)

    return embed
