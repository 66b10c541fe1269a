"""Films and their music as plain vectors, to which linear maps and whitened towers are fitted.

A film's input is the mean of its paragraphs' unit vectors, or if missing the mean of the training films. A track is the
mean of its windows' vectors; for log-mel frames, the mean and standard deviation of each band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.core.errors import StageError
from pipeline.model.linear import SAMPLE, Components, components_of, unit
from pipeline.model.whitened import pooled
from pipeline.store.films import FeatureStore, FilmFeatures

MUSIC_ROWS = 1024  # tracks per block


@dataclass(frozen=True)
class Spaces:
    """The principal components of each input and of the music, over the training films."""

    inputs: dict[str, Components]
    music: Components

    def queries(self, films: Sequence[FilmFeatures], store: FeatureStore) -> np.ndarray:
        """Return [films, r], the components of all inputs concatenated."""
        parts = []
        for name, components in self.inputs.items():
            has = np.array([name in film.fixed_rows for film in films], bool)
            part = np.zeros((len(films), components.axes.shape[1]))
            if has.any():
                part[has] = components.of(_input_vectors(name, films, store))
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def tracks(self, films: Sequence[FilmFeatures], store: FeatureStore) -> np.ndarray:
        """Return [tracks, r] of the tracks of `films` in order; one block of vectors is in memory at a time."""
        rows = [row for film in films for row in film.track_rows]
        blocks = (rows[begin : begin + MUSIC_ROWS] for begin in range(0, len(rows), MUSIC_ROWS))
        return np.concatenate([self.music.of(np.stack(list(_music(block, store)))) for block in blocks])


def fit_spaces(films: Sequence[FilmFeatures], store: FeatureStore, most: int) -> Spaces:
    """Return the components of training films, at most `most` of each input and of the music.

    Raises `StageError` if no film has one of the inputs.
    """
    for name in store.inputs:
        if not any(name in film.fixed_rows for film in films):
            raise StageError(f"no film of the training set has {name}: remove it from the variant's inputs")
    inputs = {name: components_of(_input_vectors(name, films, store), most, scaled=False) for name in store.inputs}
    rows = [row for film in films for row in film.track_rows]
    sample = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int)
    music = np.stack(list(_music([rows[place] for place in sample], store)))
    return Spaces(inputs, components_of(music, most, scaled=True))


def film_numbers(films: Sequence[FilmFeatures]) -> np.ndarray:
    """Return the number of the film of each track, [tracks], for the tracks of `films` in order."""
    return np.repeat(np.arange(len(films)), [len(film.track_rows) for film in films])


def _input_vectors(name: str, films: Sequence[FilmFeatures], store: FeatureStore) -> np.ndarray:
    """Return the vectors [n, f] of the input `name`, of the films that have it."""
    rows = [film.fixed_rows[name] for film in films if name in film.fixed_rows]
    return np.stack([unit(store.tables[name].read(of_film).numpy()).mean(0) for of_film in rows])


def _music(rows: Sequence[int], store: FeatureStore) -> Iterator[np.ndarray]:
    """Yield the vector [f], float32, of each track at `rows` of the audio table."""
    for row in rows:
        yield pooled(store.audio.values(torch.from_numpy(store.audio.read(row))), store.audio.is_log_mel).numpy()
