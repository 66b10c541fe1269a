"""Apply filters to an index: a mask over its tracks, computed from its columns in milliseconds."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apps.recommend.filters import COLUMNS, Filters, Range
from pipeline.apps.recommend.index import TrackIndex
from pipeline.core.errors import ModelError
from pipeline.encoders.audio import LEAST_PROBABILITY
from pipeline.store.index import MUSIC_TAGS

SINGS = 0.5  # minimum probability of a track with vocals
HAS_TAG = LEAST_PROBABILITY  # minimum probability of a tag; the same tags are shown and filtered by


@dataclass(frozen=True)
class Filtered:
    """Number of tracks of a library that pass the filters."""

    tracks: int  # that pass all filters
    alone: dict[str, int]  # that pass each filter alone, by its name


def passing(index: TrackIndex, filters: Filters) -> tuple[np.ndarray | None, Filtered | None]:
    """Return which tracks pass `filters`, bool [tracks], and how many; None without filters.

    Raises `ModelError` for a music tag that is not in the index.
    """
    if not filters:
        return None, None
    found = _masks(index, filters)
    passed = np.logical_and.reduce([*found.values()])
    alone = {name: int(np.count_nonzero(mask)) for name, mask in found.items()}
    return passed, Filtered(int(np.count_nonzero(passed)), alone)


def tagged(probabilities: np.ndarray) -> np.ndarray:
    """Return which of `probabilities`, uint8 with 255 = 1, are high enough for a tag."""
    return probabilities >= np.ceil(255 * HAS_TAG)


def _masks(index: TrackIndex, filters: Filters) -> dict[str, np.ndarray]:
    """Return which tracks pass each filter, bool [tracks], by its name."""
    found = {name: _within(index.tracks[COLUMNS[name]], wanted) for name, wanted in filters.ranges.items()}
    if filters.keys:
        found["key"] = _one_of(index.tracks["key"], filters.keys)
    if filters.vocals:
        sung = Range(SINGS, np.inf) if filters.vocals == "vocal" else Range(-np.inf, np.nextafter(SINGS, 0))
        found["vocals"] = _within(index.tracks["vocals"], sung)
    if filters.music:
        found["music"] = np.logical_and.reduce([tagged(of_tag) for of_tag in _probabilities(index, filters.music).T])
    return found


def _within(column: pa.ChunkedArray, wanted: Range) -> np.ndarray:
    inside = pc.and_(pc.greater_equal(column, wanted.least), pc.less_equal(column, wanted.most))
    return pc.fill_null(inside, False).to_numpy()


def _one_of(column: pa.ChunkedArray, wanted: frozenset[str]) -> np.ndarray:
    whole = column.combine_chunks()
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    is_wanted = np.array([value in wanted for value in coded.dictionary.to_pylist()], bool)
    return is_wanted[coded.indices.to_numpy()] if len(is_wanted) else np.zeros(len(whole), bool)


def _probabilities(index: TrackIndex, tags: tuple[str, ...]) -> np.ndarray:
    """Return the probabilities of `tags`, uint8 [tracks, tags]."""
    known = index.about.get(MUSIC_TAGS, []) if index.probabilities is not None else []
    for tag in tags:
        if tag not in known:
            there = f"allowed are {', '.join(sorted(known))}" if known else "but this index has no music tags"
            raise ModelError(f"music: found {tag!r}, {there}")
    assert index.probabilities is not None, "it has tags"
    return index.probabilities[:, [known.index(tag) for tag in tags]]
