"""The index of a model: all tracks of the data set with their embeddings, for recommending without audio."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.core.files import sha256_of
from pipeline.core.machine import BatchSize
from pipeline.core.tables import DATASET, DOWNLOADS, SEGMENTS, SOUND, read_table
from pipeline.core.variants import Input
from pipeline.encoders.audio import by_name, likeliest
from pipeline.encoders.vocals import vocals_of
from pipeline.model.embed import embed_tracks, tracks_of
from pipeline.model.store import WEIGHTS, load_model, open_for_model
from pipeline.store.audio_table import AudioTable
from pipeline.store.films import films_of
from pipeline.store.index import MUSIC_TAGS, as_bytes, film_tracks, write_index


def index_films(
    root: Path, path: Path, variant: str, inputs: Sequence[Input], batch_size: BatchSize, device: torch.device
) -> tuple[int, int]:
    """Write the index of the model of `variant` to `path`; return its numbers of tracks and films.

    Raises `MissingFileError` and `ModelError` as `pipeline.model.store` does.
    """
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    segments = read_table(root / "data/segments.parquet", SEGMENTS, "segment", without=["landmarks"])
    downloads = read_table(root / "data/downloads.parquet", DOWNLOADS, "download")
    sounds = read_table(root / "data/features/sound.parquet", SOUND, "features@sound")
    model, config = load_model(root / "models" / variant)
    store = open_for_model(root, rows, variant, inputs, config)
    films = films_of(rows, store)
    vectors = embed_tracks(model, tracks_of(films, store), config, batch_size, device)
    about = {"variant": variant, **sources_of(root, variant), "audio": store.audio.about["digest"]}
    tags, probabilities = _tags(store.audio, [row for film in films for row in film.track_rows])
    tracks = film_tracks((track for film in films for track in film.tracks), segments, downloads, sounds, tags)
    if probabilities is not None:
        about[MUSIC_TAGS] = list(by_name(store.audio.tags, np.zeros(len(store.audio.tags))))
    write_index(path, tracks, vectors, about, probabilities)
    return len(vectors), len(films)


def _tags(audio: AudioTable, rows: Sequence[int]) -> tuple[list[dict[str, Any]], np.ndarray | None]:
    """Return the tag columns of tracks at `rows` of the audio table, and their tag probabilities as uint8.

    The latter are None if the encoder does not tag.
    """
    known, found = [], []
    for row in rows:
        tags = by_name(audio.tags, audio.read_tags(row))
        known.append({"music_tags": likeliest(tags), "vocals": vocals_of(tags)})
        found.append(as_bytes(tags.values()))
    return known, np.array(found) if audio.tags else None


def sources_of(root: Path, variant: str) -> dict[str, Any]:
    """Return the SHA-256 of the sources of the index of `variant`, except audio features, by key of its metadata."""
    return {
        "model": sha256_of(root / "models" / variant / WEIGHTS),
        "dataset": sha256_of(root / "data/dataset.parquet"),
        "segments": sha256_of(root / "data/segments.parquet"),
        "downloads": sha256_of(root / "data/downloads.parquet"),
        "sound": sha256_of(root / "data/features/sound.parquet"),
    }
