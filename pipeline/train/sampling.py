"""What a training batch is made of: each film once, with a random track, window and paragraph.

Everything random comes from a NumPy generator that the caller seeds, so that a run can be repeated.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.features.films import FeatureStore, Film


def film_batches(films: int, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return shuffled film numbers, all of them, in batches of nearly equal size, at most `batch_size`."""
    return np.array_split(rng.permutation(films), -(-films // batch_size))


def draw_batch(
    films: list[Film], store: FeatureStore, window_frames: int, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Return one example of each film: `audio` [n, frames, n_mels] in dB and each input [n, f], float32."""
    audio = np.empty((len(films), window_frames, store.n_mels), np.float32)
    inputs = {name: np.empty((len(films), store.tables[name].width), np.float32) for name in store.inputs}
    for i, film in enumerate(films):
        row = film.track_rows[rng.integers(len(film.track_rows))]
        starts = max(int(store.audio.keys["frames"][row]) - window_frames, 0) + 1
        audio[i] = store.window(row, int(rng.integers(starts)), window_frames)
        for name in store.inputs:
            rows = film.input_rows[name]
            inputs[name][i] = store.tables[name].vectors[rows[rng.integers(len(rows))]]
    return {"audio": torch.from_numpy(audio)} | {name: torch.from_numpy(value) for name, value in inputs.items()}
