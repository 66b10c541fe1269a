"""Embeddings of films and tracks as unit vectors, for evaluation, publishing and validation.

They are deterministic: a track is the mean over all windows of a fixed grid, a film the mean over all its paragraphs,
each normalised again. Memory holds a few batches of windows and their tracks.

On a GPU batches are read ahead and copied while others are computed (`pipeline.core.on_device`). Sums are taken on the
CPU, in float64 and in order, as sums on a GPU vary between runs. Towers compute in float32 (convolutions on a GPU in
TF32, PyTorch's default), not in bfloat16 like the encoders of features: precision is recorded in a feature's settings,
but not in a ranking. Figures, rankings and indexes therefore depend on the batch size only by float32 rounding. Only
training sets another precision around the call, for its validation.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.core.ahead import drawn_ahead
from pipeline.core.errors import ModelError
from pipeline.core.machine import BatchSize, batch_size_on
from pipeline.core.on_device import Inputs, computed, overlaps, pinned
from pipeline.encoders.log_mel import decibels
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.audio_table import hop_steps, window_of, window_starts
from pipeline.store.films import ABSENT, FeatureStore, FilmFeatures, Stored

Place = TypeVar("Place")  # source of one row of a batch


@dataclass(frozen=True)
class Tracks:
    """Tracks to embed, one array in memory at a time."""

    names: Sequence[str]  # for messages
    arrays: Iterable[np.ndarray]  # [steps, width] of each, as stored; read once, possibly in a thread


@dataclass(frozen=True)
class Queries:
    """Queries to embed, and the functions that read their inputs."""

    names: Sequence[str]  # for messages
    rows: Sequence[Mapping[str, Sequence[int]]]  # of each query: row numbers by available input
    read: Callable[[Mapping[str, Sequence[int]]], Mapping[str, Stored]]  # rows as stored; possibly in a thread
    values: Callable[[Mapping[str, Stored], torch.device], Mapping[str, Any]]  # a model's batch from stored rows


def tracks_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Tracks:
    """Return the tracks of `films` in order, with a progress bar on a terminal."""
    rows = [row for film in films for row in film.track_rows]
    arrays = (store.audio.read(row) for row in tqdm(rows, "tracks", disable=None))
    return Tracks([track["path"] for film in films for track in film.tracks], arrays)


def queries_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Queries:
    """Return `films` as queries, in order."""
    return Queries([film.fid for film in films], [film.fixed_rows for film in films], store.read_inputs, store.batch)


def embed_tracks(
    model: RetrievalModel, tracks: Tracks, config: dict[str, Any], batch_size: BatchSize, device: torch.device
) -> np.ndarray:
    """Return the embeddings [tracks, e], float32, of `tracks`; `config` is the model's.

    Raises `ModelError` with the name of a track whose embedding is zero or NaN.
    """
    spec, length = config["features"]["audio"], config["window_steps"]
    hop = hop_steps(spec, config["model"]["audio"]["window_hop_seconds"])

    def places() -> Iterator[tuple[int, np.ndarray]]:
        for number, array in enumerate(tracks.arrays):
            for start in window_starts(len(array), length, hop):
                yield number, window_of(array, start, length)

    def read(batch: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.stack(batch)))

    def encode(windows: Tensor) -> Tensor:
        return model.encode_audio({"audio": decibels(windows, spec)})

    model.to(device).eval()
    size = batch_size_on(device, "embed", batch_size)
    total = _sums(len(tracks.names), config["model"]["embed_dim"], places(), read, encode, size, device)
    return _directions(total, tracks.names)


def embed_films(
    model: RetrievalModel,
    queries: Queries,
    config: dict[str, Any],
    batch_size: BatchSize,
    device: torch.device,
    without: Collection[str] = (),
) -> np.ndarray:
    """Return the embeddings [queries, e], float32, of `queries`, each the mean over its paragraphs.

    `without` lists inputs to drop, as in `RetrievalModel.encode_query`. Raises `ModelError` as `embed_tracks` does.
    """
    rows, starts = embed_paragraphs(model, queries, config, batch_size, device, without)
    return _directions(np.add.reduceat(rows.astype(np.float64), starts), queries.names)


def embed_paragraphs(
    model: RetrievalModel,
    queries: Queries,
    config: dict[str, Any],
    batch_size: BatchSize,
    device: torch.device,
    without: Collection[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings [rows, e], float32, of all paragraphs, and each query's first row, int64 [queries].

    The i-th rows of all inputs form one example; an input with fewer rows is repeated, so that every paragraph is
    combined with the film's one image. Raises `ModelError` as `embed_tracks` does.
    """
    numbers = [max(map(len, of_inputs.values())) for of_inputs in queries.rows]

    def paragraphs() -> Iterator[tuple[int, dict[str, int]]]:
        places = ((rows, i) for rows, number in zip(queries.rows, numbers, strict=True) for i in range(number))
        for row, (of_inputs, i) in enumerate(places):
            yield row, {name: of_input[i % len(of_input)] for name, of_input in of_inputs.items()}

    def read(places: Sequence[dict[str, int]]) -> Mapping[str, Stored]:
        names = [name for name in model.inputs if name not in without]
        return queries.read({name: [place.get(name, ABSENT) for place in places] for name in names})

    def encode(stored: Mapping[str, Stored]) -> Tensor:
        return model.encode_query(queries.values(stored, device), without)

    model.to(device).eval()
    size = batch_size_on(device, "embed", batch_size)
    rows = _sums(sum(numbers), config["model"]["embed_dim"], paragraphs(), read, encode, size, device)
    names = np.repeat(queries.names, numbers)
    return _directions(rows, names.tolist()), np.cumsum(numbers) - numbers


@torch.inference_mode()
def _sums(
    count: int,
    embed_dim: int,
    places: Iterator[tuple[int, Place]],
    read: Callable[[Sequence[Place]], Inputs],
    encode: Callable[[Any], Tensor],
    batch_size: int,
    device: torch.device,
) -> np.ndarray:
    """Return the sums [count, e] of the embeddings of `places`, pairs of a track's or film's number and a place.

    `read` returns the stored inputs of a batch of places, `encode` their embeddings [n, e] on `device`.
    """

    def batches() -> Iterator[tuple[list[int], Inputs]]:
        while batch := list(islice(places, batch_size)):
            numbers, chosen = zip(*batch, strict=True)
            yield list(numbers), pinned(read(chosen), device)

    total = np.zeros((count, embed_dim))
    for numbers, found in computed(drawn_ahead(batches()) if overlaps(device) else batches(), encode, device):
        np.add.at(total, numbers, found)
    return total


def _directions(total: np.ndarray, names: Sequence[str]) -> np.ndarray:
    norms = np.linalg.norm(total, axis=1)
    wrong = np.flatnonzero(~(norms > 0) | ~np.isfinite(norms))
    if len(wrong):
        raise ModelError(
            f"{len(wrong)} of {len(total)} embeddings are zero or NaN, e.g. that of {names[wrong[0]]}: training "
            "diverged; lower train.learning_rate and run `dvc repro`"
        )
    return (total / norms[:, np.newaxis]).astype(np.float32)
