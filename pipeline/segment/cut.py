"""Cutting a recording into segments. Only one segment is in memory at a time.

A recording has one section per chapter, from its start to the next one's, and one before the first chapter; without
chapters it is one section. Within a section, segment k starts `k * hop_seconds` after the section's start. Positions
are samples of the decoded, resampled recording.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

PADDING_SECONDS = 0.1  # appended by encoders; a remainder up to this length is ignored


class CutSettings(Protocol):
    """The settings of cutting, as in the section `segment`."""

    @property
    def seconds(self) -> float: ...
    @property
    def hop_seconds(self) -> float: ...
    @property
    def min_seconds(self) -> float: ...
    @property
    def rest(self) -> Literal["drop", "join"]: ...
    @property
    def sample_rate(self) -> int: ...


class Section(NamedTuple):
    """A part of a recording that no segment crosses."""

    start: int
    title: str


class Cut(NamedTuple):
    """A segment, or a remainder that is too short for one."""

    title: str
    start: int
    samples: np.ndarray  # int16 [t]
    is_rest: bool


def sections_of(recording: dict[str, Any], sample_rate: int) -> list[Section]:
    """Return the sections of a row of the downloads table, sorted by start; the first starts at 0.

    Chapters are untrusted: only their starts are used, and they cannot overlap. Of two with the same start, the longer
    is used.
    """
    found = {0: recording["title"]}
    for chapter in sorted(recording["chapters"], key=itemgetter("start_seconds", "end_seconds")):
        start = max(0, round(chapter["start_seconds"] * sample_rate))
        found[start] = chapter["title"] or recording["title"]
    return [Section(*item) for item in found.items()]


def cuts_of(stream: "Stream", sections: list[Section], settings: CutSettings) -> Iterator[Cut]:
    """Yield the segments of all sections in order, and the remainders that are too short."""
    ends = [section.start for section in sections[1:]] + [sys.maxsize]
    for section, end in zip(sections, ends, strict=True):
        yield from _cuts_of_section(stream, section, end, settings)


class Stream:
    """The samples of a recording; only those between `forget` and `reach` are in memory."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks = iter(blocks)
        self._held: list[np.ndarray] = []
        self._begin = 0  # position of the first sample in memory
        self._needed = 0  # position of the first sample still needed
        self.end = 0  # number of samples read

    def reach(self, position: int) -> int:
        """Read up to `position`; return it, or the end of the recording if that is before it."""
        while self.end < position:
            block = next(self._blocks, None)
            if block is None:
                return self.end
            self._held.append(block)
            self.end += len(block)
            self.forget(self._needed)
        return position

    def forget(self, position: int) -> None:
        """Release the samples before `position`."""
        self._needed = max(self._needed, position)
        while self._held and self._begin + len(self._held[0]) <= self._needed:
            self._begin += len(self._held.pop(0))

    def samples(self, start: int, end: int) -> np.ndarray:
        """Return the samples from `start` to `end`, which must be in memory."""
        begins = np.cumsum([self._begin, *(len(block) for block in self._held)]).tolist()
        parts = zip(self._held, pairwise(begins), strict=True)
        return np.concatenate([block[max(0, start - a) : max(0, end - a)] for block, (a, b) in parts if a < end])


def _cuts_of_section(stream: Stream, section: Section, end: int, settings: CutSettings) -> Iterator[Cut]:
    length, hop = (round(value * settings.sample_rate) for value in (settings.seconds, settings.hop_seconds))
    least = round(settings.min_seconds * settings.sample_rate)
    padding = round(PADDING_SECONDS * settings.sample_rate)
    joins = settings.rest == "join" and hop <= length  # else they are not adjacent
    start = covered = section.start
    stream.forget(start)
    while (reached := stream.reach(min(end, start + length + (least if joins else 0)))) >= start + length:
        covered = start + length
        is_last = start + hop + length > reached
        if joins and is_last and padding < reached - covered < least:
            covered = reached
        yield Cut(section.title, start, stream.samples(start, covered), is_rest=False)
        start += hop
        stream.forget(start)
    new = max(start, covered)
    if reached - new >= least:
        yield Cut(section.title, start, stream.samples(start, reached), is_rest=False)
    elif reached - new > padding:
        yield Cut(section.title, new, stream.samples(new, reached), is_rest=True)
