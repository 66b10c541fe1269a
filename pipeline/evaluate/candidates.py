"""The candidates of a ranking: the segments of films, or the recordings they were cut from.

A recording has the score of its best segment, as recommendations show at most one segment of each. Segments of a film
with the same `source_url` belong to one recording; a segment without one is a recording of its own.

A film's own candidates are those of its folder, and those of other films with the same recording or the same samples:
the same music under another film's name is not a wrong answer.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.sharing import music_keys
from pipeline.evaluate.ranking import Vectors
from pipeline.evaluate.section import Unit
from pipeline.store.films import FilmFeatures

Row = dict[str, Any]


@dataclass(frozen=True)
class Candidates:
    """All candidates in the order of their films; each row of `vectors` is a segment."""

    vectors: Vectors
    segments: list[Row]  # rows of the data set, one per row of `vectors`
    own: dict[str, np.ndarray]  # numbers of each film's own candidates, by fid


def candidates_of(films: Sequence[FilmFeatures], tracks: np.ndarray, unit: Unit) -> Candidates:
    """Return the candidates of kind `unit`; `tracks` [segments, e] are the vectors of the films' segments in order."""
    segments = [track for film in films for track in film.tracks]
    groups: list[list[int]] = []  # the segments of each candidate
    start = 0
    for film in films:
        of_film: dict[str, list[int]] = {}
        for number, track in enumerate(film.tracks, start):
            whole = track["path"] if unit == "segment" else track["source_url"] or track["path"]
            of_film.setdefault(whole, []).append(number)
        groups += of_film.values()
        start += len(film.tracks)
    order = np.concatenate([np.array(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    vectors = Vectors(tracks[order], np.cumsum(sizes) - sizes)
    by_key: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        for key in {key for segment in group for key in music_keys(segments[segment])}:
            by_key.setdefault(key, []).append(number)
    own = {
        film.fid: np.array(
            sorted({number for track in film.tracks for key in music_keys(track) for number in by_key[key]})
        )
        for film in films
    }
    return Candidates(vectors, [segments[number] for number in order], own)
