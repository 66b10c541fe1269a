"""Films and tracks as unit vectors: what evaluation ranks, what publishing keeps, what training is watched by.

Nothing is random: a track is the mean over all windows of a fixed grid, a film the mean over all its paragraphs, each
normalised again. Memory holds a few batches of windows and the tracks that they are of.

On a GPU batches are read ahead, and copied and fetched while others are computed: `pipeline.core.on_device`. Sums are
taken on the CPU, in float64 and in order; a GPU's would differ each time. Towers compute in float32 (on a GPU with
convolutions in TF32, PyTorch's default), not in bfloat16 where encoders of features do: a feature's settings tell its
precision, while nothing would tell that of a ranking. So figures, rankings and indexes are the same for every batch
size but for the rounding of float32. Only training sets another precision around the call, for its validation.
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

Place = TypeVar("Place")  # where one row of a batch is read


@dataclass(frozen=True)
class Tracks:
    """Tracks to embed, one array in memory at a time."""

    names: Sequence[str]  # for messages
    arrays: Iterable[np.ndarray]  # [steps, width] of each, as the features are stored; read once, maybe in a thread


@dataclass(frozen=True)
class Queries:
    """Queries to embed, and the functions that read their inputs."""

    names: Sequence[str]  # for messages
    rows: Sequence[Mapping[str, Sequence[int]]]  # of each query: the rows of each of the inputs that it has
    read: Callable[[Mapping[str, Sequence[int]]], Mapping[str, Stored]]  # rows as they are stored; maybe in a thread
    values: Callable[[Mapping[str, Stored], torch.device], Mapping[str, Any]]  # what a model reads of that


def tracks_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Tracks:
    """Return the tracks of `films` in order; reading them shows progress on a terminal."""
    rows = [row for film in films for row in film.track_rows]
    arrays = (store.audio.read(row) for row in tqdm(rows, "tracks", disable=None))
    return Tracks([track["path"] for film in films for track in film.tracks], arrays)


def queries_of(films: Sequence[FilmFeatures], store: FeatureStore) -> Queries:
    """Return `films` as queries, in order."""
    return Queries([film.fid for film in films], [film.fixed_rows for film in films], store.read_inputs, store.batch)


def embed_tracks(
    model: RetrievalModel, tracks: Tracks, config: dict[str, Any], batch_size: BatchSize, device: torch.device
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
    """Return the embedding [queries, e], float32, of each film of `queries`: the mean over its paragraphs.

    `without` are inputs to leave out, as in `RetrievalModel.encode_query`. Raises `ModelError` as `embed_tracks` does.
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

    Where inputs have several rows the first rows belong together, then the second ones, and so on; an input with fewer
    rows starts over, so that each paragraph goes with the film's one image. Raises `ModelError` as `embed_tracks` does.
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
    """Return the sums [count, e] of the embeddings of `places`, each with the number of its track or film.

    `read` gives what lies at the places of a batch, `encode` makes of that, on `device`, the embeddings [n, e].
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
            f"the model gives {len(wrong)} of {len(total)} embeddings no direction, e.g. that of {names[wrong[0]]}: "
            "its training failed; lower train.learning_rate and run `dvc repro` again"
        )
    return (total / norms[:, np.newaxis]).astype(np.float32)
