"""Files of a library that hold the same music: the same bytes, or the same recording, encoded again.

Two files have the same recording where they are equally long and at least half of the segments of the one that has
fewer sound like one of the other (`pipeline.split.sounds`; segments that hold too little to tell are not counted).
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
SECONDS = 1.0  # by which the lengths of a recording's encodings may differ: encoders append silence
SHARE = 0.5  # of the segments that have to agree

Landmarks = Callable[[str], Sequence[str]]  # of the segments of a file, by its digest (`pipeline.core.sharing`)


@checked(frozen=True, config=STRICT)
class Group:
    """Files with the same music."""

    same: Literal["content", "recording"]  # what all of them have in common
    files: list[str]  # their paths, in order


@checked(frozen=True, config=STRICT)
class Duplicates:
    """What `duplicates.json` holds."""

    made_of: str  # digest of the files that were compared
    groups: list[Group]

    @property
    def repeats(self) -> int:
        """How many files could be left out."""
        return sum(len(group.files) - 1 for group in self.groups)


def write_duplicates(
    place: Path, rows: Sequence[Row], recipe: Mapping[str, object], landmarks: Landmarks
) -> Duplicates:
    """Write which of `rows` hold the same music, unless it is written already, and return it.

    `recipe` is all that `landmarks` depend on beside the files.
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
    """Return what was written for the library at `place`; nothing where that is missing or damaged."""
    try:
        return TypeAdapter(Duplicates).validate_json((place / NAME).read_bytes())
    except FileNotFoundError:
        pass
    except (ValidationError, OSError):
        log.warning("%s cannot be read: `index` writes it again", place / NAME)
    return Duplicates("", [])


def duplicates_of(rows: Iterable[Row], landmarks: Landmarks) -> list[Group]:
    """Return the groups of those of `rows`, all of them ok, that hold the same music."""
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

    Only files of about the same length are compared: those of a bucket, of which there are two rows, half a bucket
    apart, so that files that differ by `SECONDS` are in one together.
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
