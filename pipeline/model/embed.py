"""Films and tracks as unit vectors: what evaluation ranks, what publishing keeps, what training is watched by.

Nothing is random: a track is the mean over all windows of a fixed grid, a film the mean over all its paragraphs, each
normalised again. Windows are read batch by batch, so memory does not grow with the length of the audio.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.core.errors import ModelError
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.films import FeatureStore, FilmFeatures

Place = TypeVar("Place")  # where one row of a batch is read


class Queries(Protocol):
    """Where the rows of films' inputs are read: a `FeatureStore`, or the tables of a query of one's own."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs of a query, in the model's order."""

    def query(self, rows: Mapping[str, Sequence[int]], device: torch.device) -> dict[str, Any]:
        """Return rows of each input's table as a model reads them."""


def embed_tracks(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[FilmFeatures],
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
    quiet: bool = False,
) -> np.ndarray:
    """Return the embedding [tracks, e], float32, of every track of `films` in order; `config` is the model's.

    Shows its progress on a terminal unless it is `quiet`.

    Raises `ModelError` naming a track whose embedding has no direction (not a number, or zero).
    """
    length = config["window_steps"]
    hop = store.hop_steps(config["model"]["audio"]["window_hop_seconds"])
    rows = [row for film in films for row in film.track_rows]

    def windows() -> Iterator[tuple[int, tuple[int, int]]]:
        for number, row in enumerate(tqdm(rows, "tracks", disable=quiet or None)):
            for start in store.grid(row, length, hop):
                yield number, (row, start)

    def encode(places: Sequence[tuple[int, int]]) -> Tensor:
        tracks, starts = zip(*places, strict=True)
        return model.encode_audio({"audio": store.windows(tracks, starts, length, device)})

    model.to(device).eval()
    total = _sums(len(rows), config["model"]["embed_dim"], windows(), encode, batch_size)
    return _directions(total, [track["path"] for film in films for track in film.tracks])


def embed_films(
    model: RetrievalModel,
    store: Queries,
    films: list[FilmFeatures],
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
    without: Collection[str] = (),
) -> np.ndarray:
    """Return the embedding [films, e], float32, of each of `films`: the mean over its paragraphs.

    `without` are inputs to leave out, as in `RetrievalModel.encode_query`. Raises `ModelError` as `embed_tracks` does.
    """
    rows, starts = embed_paragraphs(model, store, films, config, batch_size, device, without)
    return _directions(np.add.reduceat(rows.astype(np.float64), starts), [film.fid for film in films])


def embed_paragraphs(
    model: RetrievalModel,
    store: Queries,
    films: list[FilmFeatures],
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
    without: Collection[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings [rows, e], float32, of all paragraphs of `films`, and each film's first row, int64 [films].

    Where inputs have several rows the first rows belong together, then the second ones, and so on; an input with fewer
    rows starts over, so that each paragraph goes with the film's one image. Raises `ModelError` as `embed_tracks` does.
    """
    numbers = [max(map(len, film.fixed_rows.values())) for film in films]

    def paragraphs() -> Iterator[tuple[int, dict[str, int]]]:
        places = ((film, i) for film, number in zip(films, numbers, strict=True) for i in range(number))
        for row, (film, i) in enumerate(places):
            yield row, {name: of_film[i % len(of_film)] for name, of_film in film.fixed_rows.items()}

    def encode(places: Sequence[dict[str, int]]) -> Tensor:
        rows = {name: [place[name] for place in places] for name in store.inputs}
        return model.encode_query(store.query(rows, device), without)

    model.to(device).eval()
    rows = _sums(sum(numbers), config["model"]["embed_dim"], paragraphs(), encode, batch_size)
    fids = np.repeat([film.fid for film in films], numbers)
    return _directions(rows, fids.tolist()), np.cumsum(numbers) - numbers


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


def _directions(total: np.ndarray, names: list[str]) -> np.ndarray:
    norms = np.linalg.norm(total, axis=1)
    wrong = np.flatnonzero(~(norms > 0) | ~np.isfinite(norms))
    if len(wrong):
        raise ModelError(
            f"the model gives {len(wrong)} of {len(total)} embeddings no direction, e.g. that of {names[wrong[0]]}: "
            "its training failed; lower train.learning_rate and run `dvc repro` again"
        )
    return (total / norms[:, np.newaxis]).astype(np.float32)
