"""What a training batch is made of: each film once, with a random track, window and paragraph.

Everything random comes from a NumPy generator that the caller seeds, so that a run can be repeated.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.store.films import FeatureStore, Film


def film_batches(films: int, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return shuffled film numbers, all of them, in batches of nearly equal size, at most `batch_size`."""
    return np.array_split(rng.permutation(films), -(-films // batch_size))


def draw_batch(
    films: list[Film], store: FeatureStore, window_steps: int, rng: np.random.Generator, device: torch.device
) -> dict[str, Tensor]:
    """Return one example of each film, float32: `audio` [n, window_steps, width] and each input [n, f]."""
    tracks, starts = [], []
    rows: dict[str, list[int]] = {name: [] for name in store.inputs}
    for film in films:
        track = film.track_rows[rng.integers(len(film.track_rows))]
        tracks.append(track)
        starts.append(int(rng.integers(max(int(store.audio.steps[track]) - window_steps, 0) + 1)))
        for name in store.inputs:
            rows[name].append(film.input_rows[name][rng.integers(len(film.input_rows[name]))])
    inputs = {name: store.vectors(name, chosen, device) for name, chosen in rows.items()}
    return {"audio": store.windows(tracks, starts, window_steps, device)} | inputs
