"""The indexes of a library: `tracks/<variant>.parquet`, one row per segment, in the order of files and segments.

The metadata have digests of the weights (`model`), the features (`audio`), and the files with their tags (`files`); if
these are unchanged, the table is not rewritten.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.apps.library.decode import read_sounds, read_tags
from pipeline.apps.library.library import tracks_path
from pipeline.apps.library.recipe import Recipe
from pipeline.apps.library.table import OK, Row
from pipeline.apps.recommend.trained import Model
from pipeline.core.errors import MissingFileError
from pipeline.store.cache import FeatureCache
from pipeline.store.index import MUSIC_TAGS, PEAKS, write_index
from pipeline.store.table import open_parquet

OF_FILE = ("path", "sha256", "seconds", "title", "artist", "album", "year")


def write_tracks(
    place: Path,
    model: Model,
    recipe: Recipe,
    rows: Sequence[Row],
    facts: Mapping[str, Row],
    features: FeatureCache,
    vectors: FeatureCache,
) -> int:
    """Write the index for `model` of the usable files in `rows`, unless it is up to date; return its segment count.

    `facts` has the positions of each file's segments by digest, `features` their audio descriptors, `vectors` their
    embeddings.
    """
    usable = [row for row in rows if row["status"] == OK]
    about: dict[str, Any] = {
        "variant": model.name,
        "model": model.digest,
        "audio": _digest(recipe.about),
        "files": _digest([[row[name] for name in OF_FILE] for row in usable]),
    }
    if recipe.music_tags:
        about[MUSIC_TAGS] = recipe.music_tags
    path = tracks_path(place, model.name)
    if _about(path) != about:
        digests = [row["sha256"] for row in usable]
        found = np.concatenate([vectors.read(sha256) for sha256 in digests])
        tags = np.concatenate([read_tags(features, sha256) for sha256 in digests]) if recipe.music_tags else None
        write_index(path, _tracks(usable, facts, features, recipe.cutting.sample_rate), found, about, tags)
    return sum(len(facts[row["sha256"]]["segments"]) for row in usable)


def keep_only(place: Path, models: Sequence[Model]) -> None:
    """Remove the tables of all other models."""
    kept = {tracks_path(place, model.name) for model in models}
    for path in (place / "tracks").glob("*.parquet"):
        if path not in kept:
            path.unlink()


def _tracks(rows: Sequence[Row], facts: Mapping[str, Row], features: FeatureCache, sample_rate: int) -> Iterator[Row]:
    for row in rows:
        peaks, sounds = read_sounds(features, row["sha256"])
        segments = facts[row["sha256"]]["segments"]
        for number, ((start, length, music_tags), sound) in enumerate(zip(segments, sounds, strict=True)):
            seconds = start / sample_rate
            yield sound | {
                "number": number,
                "path": row["path"],
                "file_start_seconds": seconds,
                "start_seconds": seconds,
                "seconds": length / sample_rate,
                "recording_seconds": row["seconds"],
                "film": row["album"],
                "year": row["year"],
                "artist": row["artist"],
                "title": row["title"],
                "music_tags": music_tags,
                PEAKS: peaks,
            }


def _about(path: Path) -> dict[str, Any] | None:
    """Return the sources in the metadata of the table at `path`; None if it is missing or damaged."""
    try:
        with open_parquet(path) as (_, about):
            return {name: value for name, value in about.items() if name != "digest"}
    except MissingFileError:
        return None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
