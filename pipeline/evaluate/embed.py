"""Films and tracks as unit vectors: what evaluation ranks and what publishing keeps.

Nothing is random: a track is the mean over all windows of a fixed grid, a film the mean over all its paragraphs, each
normalised again. Windows are read batch by batch, so memory does not grow with the length of the audio.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.errors import ModelError
from pipeline.features.films import FeatureStore, Film
from pipeline.model.retrieval import Batch, RetrievalModel

Example = tuple[int, dict[str, np.ndarray]]  # number of the track or film, one row of a batch


def embed_tracks(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[Film],
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
) -> np.ndarray:
    """Return the embedding [tracks, e], float32, of every track of `films` in order; `config` is the model's.

    Raises `ModelError` naming a track whose embedding has no direction (not a number, or zero).
    """
    length = config["window_frames"]
    hop = max(1, int(config["model"]["audio"]["window_hop_seconds"] * store.frames_per_second))
    rows = [row for film in films for row in film.track_rows]

    def windows() -> Iterator[Example]:
        for number, row in enumerate(tqdm(rows, "tracks", disable=None)):
            for start in store.grid(row, length, hop):
                yield number, {"audio": store.window(row, start, length)}

    total = np.zeros((len(rows), config["model"]["embed_dim"]))
    _add_embeddings(total, model, model.encode_audio, windows(), batch_size, device)
    return _directions(total, [track["path"] for film in films for track in film.tracks])


def embed_films(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[Film],
    config: dict[str, Any],
    batch_size: int,
    device: torch.device,
) -> np.ndarray:
    """Return the embedding [films, e], float32, of each of `films`.

    Where inputs have several rows the first rows belong together, then the second ones, and so on; an input with fewer
    rows starts over, so that each paragraph goes with the film's one image. Raises `ModelError` as `embed_tracks` does.
    """

    def paragraphs() -> Iterator[Example]:
        for number, film in enumerate(films):
            for i in range(max(map(len, film.input_rows.values()))):
                rows = {name: of_film[i % len(of_film)] for name, of_film in film.input_rows.items()}
                yield number, {name: store.tables[name].vectors[row] for name, row in rows.items()}

    total = np.zeros((len(films), config["model"]["embed_dim"]))
    _add_embeddings(total, model, model.encode_query, paragraphs(), batch_size, device)
    return _directions(total, [film.fid for film in films])


@torch.inference_mode()
def _add_embeddings(
    total: np.ndarray,
    model: RetrievalModel,
    encode: Callable[[Batch], Tensor],
    examples: Iterator[Example],
    batch_size: int,
    device: torch.device,
) -> None:
    model.to(device).eval()
    while batch := list(islice(examples, batch_size)):
        numbers, rows = zip(*batch, strict=True)
        columns = {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}
        vectors = encode({name: torch.from_numpy(column).to(device) for name, column in columns.items()})
        np.add.at(total, list(numbers), vectors.cpu().numpy())


def _directions(total: np.ndarray, names: list[str]) -> np.ndarray:
    norms = np.linalg.norm(total, axis=1)
    wrong = np.flatnonzero(~(norms > 0) | ~np.isfinite(norms))
    if len(wrong):
        raise ModelError(
            f"the model gives {len(wrong)} of {len(total)} embeddings no direction, e.g. that of {names[wrong[0]]}: "
            "its training failed; lower train.learning_rate and run `dvc repro` again"
        )
    return (total / norms[:, np.newaxis]).astype(np.float32)
