"""Why a track is there, by what becomes of it when something of the query is left out.

Left out are whole parts, and the passages of its texts. What is left is embedded by the model as a query of its own,
so a reason is the difference of two cosines that the model itself gave.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.passages import Passage
from pipeline.apps.recommend.search import scores_among

Track = dict[str, Any]

ANSWERS = 3  # of a track
LEAST_DROP = 0.01  # of the cosine: less than that does not show in the scores as they are printed and compared by eye
SHARE = 0.25  # of a track's greatest drop, at least


def add_places(
    index: TrackIndex,
    tracks: Sequence[Track],
    whole: np.ndarray,
    ablated: Mapping[str, np.ndarray],
    passing: np.ndarray | None,
) -> None:
    """Add the `place` of each of `tracks`, and its place and score `without` each part of the query.

    `whole` and `ablated` by part are unit vectors [e]. Places are among the tracks that pass the filters, or all.
    """
    rows = None if passing is None else np.flatnonzero(passing)
    found = np.array([track["row"] for track in tracks], np.int64)
    own = found if rows is None else np.searchsorted(rows, found)  # all tracks that are found have passed
    scores = scores_among(index, whole, rows)
    for track, place in zip(tracks, _places(scores, own), strict=True):
        track |= {"place": place, "without": {}}
    for part, vector in ablated.items():
        scores = scores_among(index, vector, rows)
        for track, score, place in zip(tracks, scores[own], _places(scores, own), strict=True):
            track["without"][part] = {"score": float(score), "place": place}


def add_answers(index: TrackIndex, tracks: Sequence[Track], without: Sequence[tuple[Passage, np.ndarray]]) -> None:
    """Add to each of `tracks` the `answers`: the passages whose absence costs it most, the greatest drop first.

    `without` has passages, each with the unit vector [e] of the query that lacks it. A drop counts from `LEAST_DROP`
    and from `SHARE` of the track's greatest one.
    """
    vectors = np.array([vector for _, vector in without], np.float32).reshape(-1, index.vectors.shape[1])
    for track in tracks:
        drops = track["score"] - vectors @ index.vectors[track["row"]]
        least = max(LEAST_DROP, SHARE * drops.max(initial=0.0))
        best = [(without[place][0], drops[place]) for place in np.argsort(-drops, kind="stable")[:ANSWERS]]
        track["answers"] = [
            {"part": passage.part, "text": passage.text, "drop": float(drop)} for passage, drop in best if drop >= least
        ]


def _places(scores: np.ndarray, places: np.ndarray) -> list[int]:
    """Return the rank among `scores` of that at each of `places`, from 1: equal ones share the better place."""
    return [1 + int(np.count_nonzero(scores > scores[place])) for place in places]
