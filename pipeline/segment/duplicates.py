"""Duplicate segments of a film.

Exact: the same samples, anywhere in the film. Approximate: at the best position, the fingerprint of a segment matches
kept segments of another recording. This finds the same recording uploaded twice, independent of codec, level and
offset, but not a theme that recurs within one recording.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pipeline.segment.fingerprint import SHORTEST_SECONDS, Recorder, Reference
from pipeline.segment.section import Segment

Row = dict[str, Any]


class Duplicates:
    """The kept segments of a film. Fingerprints are only computed for films with several recordings."""

    def __init__(self, settings: Segment, recordings: int) -> None:
        self._limit = settings.duplicate_bit_errors
        self._rate = settings.sample_rate
        self._prints = self._limit is not None and recordings > 1
        self._exact: dict[str, Row] = {}
        self._earlier: list[_Earlier] = []
        self._kept: list[Row] = []  # of the recording in progress
        self._recorder: Recorder | None = None

    def next_recording(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Start the next recording: yield its `blocks` unchanged, and compute their fingerprint."""
        if self._recorder is not None and self._kept:
            self._earlier.append(_Earlier(self._recorder, self._kept))
        self._kept, self._recorder = [], Recorder(self._rate) if self._prints else None
        for block in blocks:
            if self._recorder is not None:
                self._recorder.add(block)
            yield block

    def forget_recording(self) -> None:
        """Drop the kept segments of the recording in progress."""
        for row in self._kept:
            if self._exact.get(row["sha256"]) is row:
                del self._exact[row["sha256"]]
        self._kept = []

    def reason(self, row: Row) -> str:
        """Return the reason if a segment is a duplicate, else "". `row` has its sha256, start and seconds."""
        if self._limit is None:
            return ""
        if same := self._exact.get(row["sha256"]):
            return f"the same samples as {same['source']} from {same['start_seconds']:.2f} s"
        if self._recorder is None or row["seconds"] < SHORTEST_SECONDS:
            return ""
        span = self._recorder.span(*_samples(row, self._rate))
        signs, counts = self._recorder.print()
        for earlier in self._earlier:
            near = None if earlier.near is None else span.start + earlier.near
            if found := earlier.reference.match((signs[span], counts[span]), near, self._limit):
                earlier.near = found.frame - span.start
                start = max(0.0, row["start_seconds"] + earlier.near * self._recorder.hop / self._rate)
                return (
                    f"{earlier.source} from {start:.1f} s sounds the same: {found.errors:.3f} of the bits differ, "
                    f"segment.duplicate_bit_errors is {self._limit:g}"
                )
        return ""

    def keep(self, row: Row) -> None:
        """Add this segment to those with which later ones are compared."""
        self._exact.setdefault(row["sha256"], row)
        self._kept.append(row)


class _Earlier:
    """A finished recording; `near` is the offset in frames at which a segment was last found, to be tried first."""

    def __init__(self, recorder: Recorder, kept: list[Row]) -> None:
        spans = [slice(*(sample // recorder.hop for sample in _samples(row, recorder.sample_rate))) for row in kept]
        self.reference = Reference(recorder.print(), spans)
        self.source = kept[0]["source"]
        self.near: int | None = None


def _samples(row: Row, sample_rate: int) -> tuple[int, int]:
    start = round(row["start_seconds"] * sample_rate)
    return start, start + round(row["seconds"] * sample_rate)
