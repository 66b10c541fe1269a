"""Explain a track by leaving out parts of the query (ablation).

Whole parts and single passages of the texts are left out. The remaining query is embedded by the same model, so a
reason is the difference of two cosines of the model itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.passages import Passage
from pipeline.apps.recommend.search import scores_among

Track = dict[str, Any]

ANSWERS = 3  # maximum per track
LEAST_DROP = 0.01  # of the cosine; smaller drops are not visible in the printed scores
SHARE = 0.25  # minimum share of a track's greatest drop


def add_places(
    index: TrackIndex,
    tracks: Sequence[Track],
    whole: np.ndarray,
    ablated: Mapping[str, np.ndarray],
    passing: np.ndarray | None,
) -> None:
    """Add the `place` of each of `tracks`, and its place and score `without` each part of the query.

    `whole` and the values of `ablated` are unit vectors [e]. Places are among all tracks that pass the filters.
    """
    rows = None if passing is None else np.flatnonzero(passing)
    found = np.array([track["row"] for track in tracks], np.int64)
    own = found if rows is None else np.searchsorted(rows, found)  # all tracks found pass the filters
    scores = scores_among(index, whole, rows)
    for track, place in zip(tracks, _places(scores, own), strict=True):
        track |= {"place": place, "without": {}}
    for part, vector in ablated.items():
        scores = scores_among(index, vector, rows)
        for track, score, place in zip(tracks, scores[own], _places(scores, own), strict=True):
            track["without"][part] = {"score": float(score), "place": place}


def add_answers(index: TrackIndex, tracks: Sequence[Track], without: Sequence[tuple[Passage, np.ndarray]]) -> None:
    """Add to each of `tracks` the `answers`: the passages whose absence lowers its score most, greatest drop first.

    `without` has passages, each with the unit vector [e] of the query without it. Drops below `LEAST_DROP`, or below
    `SHARE` of the track's greatest one, are ignored.
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
    """Return the rank of the score at each of `places`, from 1; ties share the better rank."""
    return [1 + int(np.count_nonzero(scores > scores[place])) for place in places]
