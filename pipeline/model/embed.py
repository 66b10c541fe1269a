"""Films and tracks as unit vectors: what evaluation ranks, what publishing keeps, what training is watched by.

Nothing is random: a track is the mean over all windows of a fixed grid, a film the mean over all its paragraphs, each
normalised again. Memory holds one batch of windows and the tracks that they are of.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.core.errors import ModelError
from pipeline.encoders.log_mel import decibels
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.audio_table import hop_steps, window_of, window_starts
from pipeline.store.films import ABSENT, FeatureStore, FilmFeatures

Place = TypeVar("Place")  # where one row of a batch is read


@dataclass(frozen=True)
class Tracks:
    """Tracks to embed, one array in memory at a time."""

    names: Sequence[str]  # for messages
    arrays: Iterable[np.ndarray]  # [steps, width] of each, as the features are stored; read once


@dataclass(frozen=True)
class Queries:
    """Queries to embed, and the function that reads their inputs."""

    names: Sequence[str]  # for messages
    rows: Sequence[Mapping[str, Sequence[int]]]  # of each query: the rows of each of the inputs that it has
    read: Callable[[Mapping[str, Sequence[int]], torch.device], dict[str, Any]]  # rows as a model reads them


def tracks_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Tracks:
    """Return the tracks of `films` in order; reading them shows progress on a terminal."""
    rows = [row for film in films for row in film.track_rows]
    arrays = (store.audio.read(row) for row in tqdm(rows, "tracks", disable=None))
    return Tracks([track["path"] for film in films for track in film.tracks], arrays)


def queries_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Queries:
    """Return `films` as queries, in order."""
    return Queries([film.fid for film in films], [film.fixed_rows for film in films], store.query)


def embed_tracks(
    model: RetrievalModel, tracks: Tracks, config: dict[str, Any], batch_size: int, device: torch.device
) -> np.ndarray:
    """Return the embedding [tracks, e], float32, of each of `tracks`; `config` is the model's.

    Raises `ModelError` naming a track whose embedding has no direction (not a number, or zero).
    """
    spec, length = config["features"]["audio"], config["window_steps"]
    hop = hop_steps(spec, config["model"]["audio"]["window_hop_seconds"])

    def places() -> Iterator[tuple[int, np.ndarray]]:
        for number, array in enumerate(tracks.arrays):
            for start in window_starts(len(array), length, hop):
                yield number, window_of(array, start, length)

    def encode(batch: Sequence[np.ndarray]) -> Tensor:
        windows = torch.from_numpy(np.ascontiguousarray(np.stack(batch)))
        return model.encode_audio({"audio": decibels(windows.to(device), spec)})

    model.to(device).eval()
    total = _sums(len(tracks.names), config["model"]["embed_dim"], places(), encode, batch_size)
    return _directions(total, tracks.names)


def embed_films(
    model: RetrievalModel,
    queries: Queries,
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
    without: Collection[str] = (),
) -> np.ndarray:
    """Return the embedding [queries, e], float32, of each film of `queries`: the mean over its paragraphs.

    `without` are inputs to leave out, as in `RetrievalModel.encode_query`. Raises `ModelError` as `embed_tracks` does.
    """
    rows, starts = embed_paragraphs(model, queries, config, batch_size, device, without)
    return _directions(np.add.reduceat(rows.astype(np.float64), starts), queries.names)


def embed_paragraphs(
    model: RetrievalModel,
    queries: Queries,
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
    without: Collection[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings [rows, e], float32, of all paragraphs, and each query's first row, int64 [queries].

    Where inputs have several rows the first rows belong together, then the second ones, and so on; an input with fewer
    rows starts over, so that each paragraph goes with the film's one image. Raises `ModelError` as `embed_tracks` does.
    """
    numbers = [max(map(len, of_inputs.values())) for of_inputs in queries.rows]

    def paragraphs() -> Iterator[tuple[int, dict[str, int]]]:
        places = ((rows, i) for rows, number in zip(queries.rows, numbers, strict=True) for i in range(number))
        for row, (of_inputs, i) in enumerate(places):
            yield row, {name: of_input[i % len(of_input)] for name, of_input in of_inputs.items()}

    def encode(places: Sequence[dict[str, int]]) -> Tensor:
        rows = {name: [place.get(name, ABSENT) for place in places] for name in model.inputs if name not in without}
        return model.encode_query(queries.read(rows, device), without)

    model.to(device).eval()
    rows = _sums(sum(numbers), config["model"]["embed_dim"], paragraphs(), encode, batch_size)
    names = np.repeat(queries.names, numbers)
    return _directions(rows, names.tolist()), np.cumsum(numbers) - numbers


@torch.inference_mode()
def _sums(
    count: int,
    embed_dim: int,
    places: Iterator[tuple[int, Place]],
    encode: Callable[[Sequence[Place]], Tensor],
    batch_size: int,
) -> np.ndarray:
    """Return the sums [count, e] of the embeddings of `places`, each with the number of its track or film."""
    total = np.zeros((count, embed_dim))
    while batch := list(islice(places, batch_size)):
        numbers, chosen = zip(*batch, strict=True)
        np.add.at(total, list(numbers), encode(chosen).cpu().numpy())
    return total


def _directions(total: np.ndarray, names: Sequence[str]) -> np.ndarray:
    norms = np.linalg.norm(total, axis=1)
    wrong = np.flatnonzero(~(norms > 0) | ~np.isfinite(norms))
    if len(wrong):
        raise ModelError(
            f"the model gives {len(wrong)} of {len(total)} embeddings no direction, e.g. that of {names[wrong[0]]}: "
            "its training failed; lower train.learning_rate and run `dvc repro` again"
        )
    return (total / norms[:, np.newaxis]).astype(np.float32)
