"""The index of a model: every track of the data set with its embedding, to recommend without the audio."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.core.files import sha256_of
from pipeline.core.machine import BatchSize
from pipeline.core.tables import DATASET, DOWNLOADS, SEGMENTS, read_table
from pipeline.core.variants import Input
from pipeline.encoders.audio import likeliest
from pipeline.model.embed import embed_tracks, tracks_of
from pipeline.model.store import WEIGHTS, load_model, open_for_model
from pipeline.store.films import films_of
from pipeline.store.index import film_tracks, write_index


def index_films(
    root: Path, path: Path, variant: str, inputs: Sequence[Input], batch_size: BatchSize, device: torch.device
) -> tuple[int, int]:
    """Write the index of the model of `variant` to `path`; return how many tracks of how many films it has.

    Raises `MissingFileError` and `ModelError` as `pipeline.model.store` does.
    """
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    segments = read_table(root / "data/segments.parquet", SEGMENTS, "segment", without=["landmarks"])
    downloads = read_table(root / "data/downloads.parquet", DOWNLOADS, "download")
    model, config = load_model(root / "models" / variant)
    store = open_for_model(root, rows, variant, inputs, config)
    films = films_of(rows, store)
    vectors = embed_tracks(model, tracks_of(films, store), config, batch_size, device)
    about = {"variant": variant, **sources_of(root, variant), "audio": store.audio.about["digest"]}
    known = (
        {"music_tags": likeliest(store.audio.tags, store.audio.read_tags(row))}
        for film in films
        for row in film.track_rows
    )
    tracks = film_tracks((track for film in films for track in film.tracks), segments, downloads, known)
    write_index(path, tracks, vectors, about)
    return len(vectors), len(films)


def sources_of(root: Path, variant: str) -> dict[str, Any]:
    """Return the SHA-256 of what the index of `variant` is made of, as its metadata have it, without the audio's."""
    return {
        "model": sha256_of(root / "models" / variant / WEIGHTS),
        "dataset": sha256_of(root / "data/dataset.parquet"),
        "segments": sha256_of(root / "data/segments.parquet"),
        "downloads": sha256_of(root / "data/downloads.parquet"),
    }
