"""What is ranked: the segments of films, or the recordings that they were cut from.

A recording has the score of its best segment, as it is shown to people: at most one segment of each. Segments of a film
belong to one recording where they have the same `source_url`; one without is a recording of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluate.ranking import Vectors
from pipeline.evaluate.section import Unit
from pipeline.store.films import FilmFeatures

Row = dict[str, Any]


@dataclass(frozen=True)
class Candidates:
    """All candidates in the order of their films; a row of `vectors` is a segment."""

    vectors: Vectors
    segments: list[Row]  # of the data set, one per row
    own: list[np.ndarray]  # the numbers of each film's candidates


def candidates_of(films: Sequence[FilmFeatures], tracks: np.ndarray, unit: Unit) -> Candidates:
    """Return what is ranked; `tracks` [segments, e] are the vectors of the films' segments in order."""
    segments = [track for film in films for track in film.tracks]
    groups: list[list[int]] = []  # the segments of each candidate
    counts: list[int] = []  # how many candidates each film has
    start = 0
    for film in films:
        of_film: dict[str, list[int]] = {}
        for number, track in enumerate(film.tracks, start):
            whole = track["path"] if unit == "segment" else track["source_url"] or track["path"]
            of_film.setdefault(whole, []).append(number)
        groups += of_film.values()
        counts.append(len(of_film))
        start += len(film.tracks)
    order = np.concatenate([np.array(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    vectors = Vectors(tracks[order], np.cumsum(sizes) - sizes)
    return Candidates(
        vectors, [segments[number] for number in order], np.split(np.arange(len(groups)), np.cumsum(counts)[:-1])
    )
