"""Filters: which tracks of a library a search is limited to, before any is ranked.

Each filter is a text, the same on the command line, in a form and in an address. Bounds are inclusive. A track whose
value is not known passes no filter on it: what may be of any length is not offered to somebody who needs two minutes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apps.recommend.index import TrackIndex
from pipeline.core.errors import ModelError
from pipeline.store.index import MUSIC_TAGS

COLUMNS = {"length": "recording_seconds", "tempo": "tempo", "loudness": "loudness", "year": "year"}
NAMES = (*COLUMNS, "key", "vocals", "music")
EXAMPLES = {
    "length": "1:00-3:00, 90.. or ..5:00 (minutes:seconds, or seconds)",
    "tempo": "60-90, 120.. or ..90 (beats per minute)",
    "loudness": "-30..-14, -20.. or ..-14 (LUFS)",
    "year": "1927, 1920-1929 or ..1950",
}

CLOCK = r"(?:\d{1,4}:)?\d{1,4}:[0-5]\d(?:\.\d{1,6})?"
NUMBER = r"-?\d{1,9}(?:\.\d{1,6})?"
BETWEEN = r"\s*(?:\.\.|-|\N{EN DASH})\s*"

TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")  # as the index names them
MODES = {"major": "major", "maj": "major", "minor": "minor", "min": "minor", "m": "minor"}
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}  # semitones above C
ACCIDENTALS = {"": 0, "#": 1, "\N{MUSIC SHARP SIGN}": 1, "b": -1, "\N{MUSIC FLAT SIGN}": -1}
KEY = re.compile(rf"([a-g])([{''.join(ACCIDENTALS)}]?)\s*({'|'.join(MODES)})?", re.IGNORECASE)

Vocals = Literal["vocal", "instrumental"]
SINGS = 0.5  # probability from which a track counts as sung: more likely than not
HAS_TAG = (
    0.1  # probability from which music has a tag: `pipeline.encoders.audio` shows a track with its tags from there
)


@dataclass(frozen=True)
class Range:
    """Values from `least` to `most`, both included; infinite where there is no bound."""

    least: float
    most: float


@dataclass(frozen=True)
class Filters:
    """What a track has to be; None, or empty, is no filter."""

    ranges: Mapping[str, Range] = field(default_factory=dict)  # by names of `COLUMNS`
    keys: frozenset[str] = frozenset()  # as `TrackColumns.key` names them: any of these
    vocals: Vocals | None = None
    music: tuple[str, ...] = ()  # tags in lower case: all of these

    def __bool__(self) -> bool:
        return bool(self.ranges or self.keys or self.vocals or self.music)


NO_FILTERS = Filters()


def parse_filters(texts: Mapping[str, str | None]) -> Filters:
    """Return the filters that `texts` by `NAMES` describe; an empty one, or one that is missing, is none.

    Raises `ModelError` with the name, what was found and what is allowed.
    """
    given = {name: text.strip() for name, text in texts.items() if text and text.strip()}
    ranges = {name: _range(name, given[name]) for name in COLUMNS if name in given}
    keys = frozenset(key for item in _items(given.get("key", "")) for key in _keys(item))
    vocals: Vocals | None = None
    match given.get("vocals", ""):
        case "vocal" | "instrumental" as named:
            vocals = named
        case "":
            pass
        case other:
            raise ModelError(f"vocals: found {other!r}, allowed are vocal and instrumental")
    return Filters(ranges, keys, vocals, tuple(dict.fromkeys(map(str.lower, _items(given.get("music", ""))))))


def masks(index: TrackIndex, filters: Filters) -> dict[str, np.ndarray]:
    """Return for each filter, by its name, which tracks pass it alone, bool [tracks].

    Raises `ModelError` for a tag of the music that the index has no probabilities of.
    """
    found = {name: _within(index.tracks[COLUMNS[name]], wanted) for name, wanted in filters.ranges.items()}
    if filters.keys:
        found["key"] = _one_of(index.tracks["key"], filters.keys)
    if filters.vocals:
        sung = Range(SINGS, np.inf) if filters.vocals == "vocal" else Range(-np.inf, np.nextafter(SINGS, 0))
        found["vocals"] = _within(index.tracks["vocals"], sung)
    if filters.music:
        found["music"] = np.logical_and.reduce([tagged(of_tag) for of_tag in _probabilities(index, filters.music).T])
    return found


def tagged(probabilities: np.ndarray) -> np.ndarray:
    """Return which of `probabilities`, uint8 with 255 for 1, are those of tags with which a track would be shown."""
    from pipeline.encoders.audio import LEAST_PROBABILITY

    return probabilities >= np.ceil(255 * LEAST_PROBABILITY)


def _range(name: str, text: str) -> Range:
    value = rf"{CLOCK}|{NUMBER}" if name == "length" else NUMBER
    bounds = re.fullmatch(rf"({value})?{BETWEEN}({value})?", text)
    if bounds is not None and any(bounds.groups()) and (all(bounds.groups()) or ".." in text):
        least, most = (None if bound is None else _number(bound) for bound in bounds.groups())
    elif name == "year" and re.fullmatch(NUMBER, text):
        least = most = _number(text)
    else:
        raise ModelError(f"{name}: found {text!r}, allowed is a range such as {EXAMPLES[name]}")
    found = Range(-np.inf if least is None else least, np.inf if most is None else most)
    if found.least > found.most:
        raise ModelError(f"{name}: found {text!r}, which ends before it begins; write it as {EXAMPLES[name]}")
    return found


def _number(text: str) -> float:
    """Return a number, or the seconds of a clock's time."""
    sign, parts = (-1 if text.startswith("-") else 1), text.removeprefix("-").split(":")
    return sign * sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))


def _items(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",") if item.strip()]


def _keys(text: str) -> list[str]:
    """Return the keys that a text stands for: one, both of a tonic, or the twelve of a mode."""
    if len(text) > 1 and text.lower() in MODES:
        return [f"{tonic} {MODES[text.lower()]}" for tonic in TONICS]
    found = KEY.fullmatch(text)
    if found is None:
        raise ModelError(
            f"key: found {text!r}, allowed are keys, tonics and modes, parted by commas, as in C minor, Bb, major"
        )
    tonic = TONICS[(STEPS[found[1].lower()] + ACCIDENTALS[found[2].lower()]) % len(TONICS)]
    modes = (MODES[found[3].lower()],) if found[3] else ("major", "minor")
    return [f"{tonic} {mode}" for mode in modes]


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
        if not known:
            raise ModelError(
                f"music: found {tag!r}, but the index has no tags of the music: its music encoder tags none"
            )
        if tag not in known:
            raise ModelError(f"music: found {tag!r}, the tags are {', '.join(sorted(known))}")
    assert index.probabilities is not None
    return index.probabilities[:, [known.index(tag) for tag in tags]]
