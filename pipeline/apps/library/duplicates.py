"""Find files of a library with the same music: identical bytes, or the same recording in another encoding.

Two files have the same recording if they are equally long and at least half of the segments of the one with fewer
segments match one of the other (`pipeline.split.sounds`; segments with too few landmarks are not counted).
"""

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pipeline.apps.library.table import OK, Row
from pipeline.core.fields import STRICT
from pipeline.core.files import write_json
from pipeline.core.sharing import DisjointSets, unpacked
from pipeline.split.sounds import LEAST, same_sounds

log = logging.getLogger(__name__)

NAME = "duplicates.json"
SECONDS = 1.0  # maximum difference in length between encodings of a recording, since encoders append silence
SHARE = 0.5  # minimum share of segments that match

Landmarks = Callable[[str], Sequence[str]]  # from a file's digest to its segments' landmarks (`pipeline.core.sharing`)


@checked(frozen=True, config=STRICT)
class Group:
    """Files with the same music."""

    same: Literal["content", "recording"]  # what they have in common
    files: list[str]  # their paths, in order


@checked(frozen=True, config=STRICT)
class Duplicates:
    """The contents of `duplicates.json`."""

    made_of: str  # digest of the compared files
    groups: list[Group]

    @property
    def repeats(self) -> int:
        """Number of redundant files."""
        return sum(len(group.files) - 1 for group in self.groups)


def write_duplicates(
    place: Path, rows: Sequence[Row], recipe: Mapping[str, object], landmarks: Landmarks
) -> Duplicates:
    """Write which of `rows` have the same music, unless already written, and return it.

    `recipe` is everything that `landmarks` depend on, except for the files.
    """
    usable = [row for row in rows if row["status"] == OK]
    made_of = [recipe, [[row["path"], row["sha256"], row["seconds"]] for row in usable]]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    known = read_duplicates(place)
    if known.made_of == digest:
        return known
    found = Duplicates(digest, duplicates_of(usable, landmarks))
    write_json(place / NAME, asdict(found))
    return found


def read_duplicates(place: Path) -> Duplicates:
    """Return the duplicates written for the library at `place`; empty if the file is missing or damaged."""
    try:
        return TypeAdapter(Duplicates).validate_json((place / NAME).read_bytes())
    except FileNotFoundError:
        pass
    except (ValidationError, OSError):
        log.warning("%s cannot be read: the next `index` rewrites it", place / NAME)
    return Duplicates("", [])


def duplicates_of(rows: Iterable[Row], landmarks: Landmarks) -> list[Group]:
    """Return the groups of `rows`, all with status ok, that have the same music."""
    paths: dict[str, list[str]] = defaultdict(list)  # by digest
    seconds: dict[str, float] = {}
    for row in rows:
        paths[row["sha256"]].append(row["path"])
        seconds[row["sha256"]] = row["seconds"]
    sets = DisjointSets()
    for digest in paths:
        sets.add(digest)
    for one, other in _same_recordings(seconds, landmarks):
        sets.join(one, other)
    members: dict[str, list[str]] = defaultdict(list)  # digests
    for digest, least in sets.least().items():
        members[least].append(digest)
    groups = [
        Group("recording" if len(digests) > 1 else "content", sorted(path for d in digests for path in paths[d]))
        for digests in members.values()
    ]
    return sorted((group for group in groups if len(group.files) > 1), key=lambda group: group.files)


def _same_recordings(seconds: Mapping[str, float], landmarks: Landmarks) -> Iterator[tuple[str, str]]:
    """Yield pairs of digests, some of them twice; `seconds` are the files' lengths.

    Only files of similar length are compared, in two overlapping rows of buckets, shifted by half a bucket, so that
    files that differ by at most `SECONDS` share a bucket.
    """
    for shift in (0.0, SECONDS):
        buckets: dict[int, list[str]] = defaultdict(list)
        for digest, length in seconds.items():
            buckets[int((length + shift) // (2 * SECONDS))].append(digest)
        for digests in buckets.values():
            if len(digests) > 1:
                yield from _same_in(digests, seconds, landmarks)


def _same_in(digests: Sequence[str], seconds: Mapping[str, float], landmarks: Landmarks) -> Iterator[tuple[str, str]]:
    segments = [
        {"fid": digest, "landmarks": text}
        for digest in digests
        for text in landmarks(digest)
        if len(unpacked(text)[0]) >= LEAST
    ]
    telling = Counter(segment["fid"] for segment in segments)
    agreeing: dict[tuple[str, str], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for pair in same_sounds(segments):
        one, other = (segments[number]["fid"] for number in pair)
        for numbers, number in zip(agreeing[one, other], pair, strict=True):
            numbers.add(number)
    for (one, other), (of_one, of_other) in agreeing.items():
        agree, fewest = min((len(of_one), telling[one]), (len(of_other), telling[other]), key=itemgetter(1))
        if abs(seconds[one] - seconds[other]) <= SECONDS and agree >= SHARE * fewest:
            yield one, other
