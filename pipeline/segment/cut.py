"""Where a recording is cut. Only one segment is held at a time, however long a recording is.

A recording has a section a chapter, from each chapter's start to the next one's; what comes before the first is one
too, and a recording without chapters is one. Within a section segment k begins `k * hop_seconds` after its start. All
positions are samples of the decoded, resampled recording.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

PADDING_SECONDS = 0.1  # what encoders append; new material up to this is none


class CutSettings(Protocol):
    """What cutting reads of the section `segment`, or of another place that has the same."""

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
    """What lies between two cuts that no segment crosses."""

    start: int
    title: str


class Cut(NamedTuple):
    """A segment, or a rest that is too short for one."""

    title: str
    start: int
    samples: np.ndarray  # int16 [t]
    is_rest: bool


def sections_of(recording: dict[str, Any], sample_rate: int) -> list[Section]:
    """Return the sections of a row of the downloads table, by their starts; the first begins at 0.

    Of chapters, which come from strangers, only the starts count, so they cannot overlap; of two with the same start
    the longer stays.
    """
    found = {0: recording["title"]}
    for chapter in sorted(recording["chapters"], key=itemgetter("start_seconds", "end_seconds")):
        start = max(0, round(chapter["start_seconds"] * sample_rate))
        found[start] = chapter["title"] or recording["title"]
    return [Section(*item) for item in found.items()]


def cuts_of(stream: "Stream", sections: list[Section], settings: CutSettings) -> Iterator[Cut]:
    """Yield the segments of all sections in order, and the rests that are too short."""
    ends = [section.start for section in sections[1:]] + [sys.maxsize]
    for section, end in zip(sections, ends, strict=True):
        yield from _cuts_of_section(stream, section, end, settings)


class Stream:
    """The samples of a recording, of which as many are held as lie between `forget` and `reach`."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks = iter(blocks)
        self._held: list[np.ndarray] = []
        self._begin = 0  # position of the first that is held
        self._needed = 0  # position of the first that is still asked for
        self.end = 0  # how far it was read

    def reach(self, position: int) -> int:
        """Read up to `position`; return it, or where the recording ends before it."""
        while self.end < position:
            block = next(self._blocks, None)
            if block is None:
                return self.end
            self._held.append(block)
            self.end += len(block)
            self.forget(self._needed)
        return position

    def forget(self, position: int) -> None:
        """Let go of what lies before `position`."""
        self._needed = max(self._needed, position)
        while self._held and self._begin + len(self._held[0]) <= self._needed:
            self._begin += len(self._held.pop(0))

    def samples(self, start: int, end: int) -> np.ndarray:
        """Return the samples from `start` to `end`, which were reached and not forgotten."""
        begins = np.cumsum([self._begin, *(len(block) for block in self._held)]).tolist()
        parts = zip(self._held, pairwise(begins), strict=True)
        return np.concatenate([block[max(0, start - a) : max(0, end - a)] for block, (a, b) in parts if a < end])


def _cuts_of_section(stream: Stream, section: Section, end: int, settings: CutSettings) -> Iterator[Cut]:
    length, hop = (round(value * settings.sample_rate) for value in (settings.seconds, settings.hop_seconds))
    least = round(settings.min_seconds * settings.sample_rate)
    padding = round(PADDING_SECONDS * settings.sample_rate)
    joins = settings.rest == "join" and hop <= length  # else they do not touch
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
