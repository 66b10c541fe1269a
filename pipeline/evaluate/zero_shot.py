"""The baseline `zero_shot`: a pretrained joint encoder of text and music applied to a variant's inputs.

It reads the texts, posters and tracks, not the feature tables. Its vectors are cached by content in
data/features/.cache/joint, so that all variants share them. `pipeline.encoders.joint` defines the vectors of films and
tracks.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import batches
from pipeline.encoders.joint import JointEncoder, direction, load_joint
from pipeline.evaluate.baselines import figures_beside
from pipeline.evaluate.evaluation import compared
from pipeline.evaluate.section import ZERO_SHOT, Evaluate
from pipeline.media.tracks import track_samples
from pipeline.store.audio_table import window_starts
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.films import FilmFeatures
from pipeline.store.inputs import digest_of_text, input_texts, needs_of, read_poster

log = logging.getLogger(__name__)

GROUP = 32  # tracks, texts or posters encoded and cached at a time

Row = dict[str, Any]
Item = TypeVar("Item")


def evaluate_zero_shot(
    root: Path,
    inputs: Collection[str],
    films: Sequence[FilmFeatures],
    rankings: list[Row],
    params: Evaluate,
    machine: Machine,
) -> dict[str, dict[str, Any]]:
    """Return the metrics of `params.zero_shot` under this baseline's name, like `pipeline.evaluate.baselines`.

    `films` are those of the pool, `rankings` the model's on the query films, in order. The result is empty if
    `params.zero_shot` is None or, with a warning, if the encoder cannot read all of `inputs`. Raises `ModelError` if
    the encoder is unusable, `MissingFileError` if a track or poster is missing, damaged or differs from the data set's.
    """
    if params.zero_shot is None:
        return {}
    encoder = load_joint(params.zero_shot, choose_device(machine.device), machine.audio_batch_size)
    needs = needs_of(inputs)
    if unread := [part for part in needs if part not in encoder.parts]:
        log.warning("no baseline zero_shot for %s: %s cannot read %s", ", ".join(inputs), encoder.name, unread[0])
        return {}
    about = {"text": encoder.text.spec, "audio": encoder.audio.spec}
    cache = open_cache(root / "data/features", "joint", about | {"versions": versions("torch", "transformers", "av")})
    queries = _queries(root, encoder, needs, compared(films), cache)
    tracks = _tracks(root, encoder, films, cache)
    return {ZERO_SHOT: figures_beside(films, queries, tracks, rankings, params) | {"encoder": encoder.name}}


def _queries(
    root: Path, encoder: JointEncoder, needs: Sequence[str], films: Sequence[FilmFeatures], cache: FeatureCache
) -> np.ndarray:
    """Return the unit vector [films, e] of each film from those of `needs` (tags, plot, image) that it has."""
    rows = [film.tracks[0] for film in films]
    texts = [input_texts(row["tags"], row["plot"]) for row in rows]
    wanted = [text for found in texts for part in ("tags", "plot") if part in needs for text in found[part]]
    _keep(cache, {_text_key(text): text for text in wanted}, lambda batch: encoder.text.encode(batch)[:, np.newaxis])
    posters: list[str] = []
    if "image" in needs and encoder.image is not None:
        embed = encoder.image
        posters = [_poster_key(root / row["image"]) if row["image"] else "" for row in rows]
        paths = {key: root / row["image"] for key, row in zip(posters, rows, strict=True) if key}
        _keep(cache, paths, lambda batch: [embed(read_poster(path))[np.newaxis] for path in batch])
    vectors = []
    for number, found in enumerate(texts):
        parts = []
        for part in needs:
            keys = list(filter(None, posters[number : number + 1])) if part == "image" else map(_text_key, found[part])
            if arrays := [cache.read(key) for key in keys]:
                parts.append(direction(np.concatenate(arrays)))
        vectors.append(direction(np.stack(parts)))
    return np.stack(vectors)


def _tracks(root: Path, encoder: JointEncoder, films: Sequence[FilmFeatures], cache: FeatureCache) -> np.ndarray:
    """Return the unit vectors [tracks, e] of the tracks of `films`, in order."""
    rows = [track for film in films for track in film.tracks]
    by_key = {f"track {row['file_sha256']}": row for row in rows}
    _keep(cache, by_key, lambda batch: [_windows(root, encoder, row) for row in batch])
    return np.stack([direction(cache.read(f"track {row['file_sha256']}")) for row in rows])


def _keep(cache: FeatureCache, items: Mapping[str, Item], encode: Callable[[list[Item]], Iterable[np.ndarray]]) -> None:
    """Encode those of `items` whose keys are not in `cache`, and cache the arrays [rows, e]."""
    missing = cache.missing(items)
    with tqdm(total=len(missing), desc=ZERO_SHOT, unit="", disable=None) as progress:
        for keys in batches(missing, GROUP):
            arrays = encode([items[key] for key in keys])
            cache.add(write_shard(cache.folder, dict(zip(keys, arrays, strict=True))))
            progress.update(len(keys))


def _windows(root: Path, encoder: JointEncoder, row: Row) -> np.ndarray:
    """Return the vectors [windows, e] of a track, cut to its length in the data set."""
    rate = encoder.audio.sample_rate
    samples = track_samples(root, row, rate)
    length, hop = (round(s * rate) for s in (encoder.windows.window_seconds, encoder.windows.window_hop_seconds))
    return encoder.audio.encode([samples[start : start + length] for start in window_starts(len(samples), length, hop)])


def _text_key(text: str) -> str:
    return f"text {digest_of_text(text)}"


def _poster_key(path: Path) -> str:
    try:
        return f"poster {sha256_of(path)}"
    except OSError:
        raise MissingFileError(f"{path} is missing: run `dvc repro parse`") from None
