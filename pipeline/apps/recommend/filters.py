"""Filters that limit a search to some tracks of a library, before ranking.

A filter is a text, with the same syntax on the command line, in the form and in the API. Bounds are inclusive. A track
whose value is unknown does not pass a filter on it: a search for two minutes should not return tracks of any length.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.core.errors import ModelError

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

TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")  # as in the index
MODES = {"major": "major", "maj": "major", "minor": "minor", "min": "minor", "m": "minor"}
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}  # semitones above C
ACCIDENTALS = {"": 0, "#": 1, "\N{MUSIC SHARP SIGN}": 1, "b": -1, "\N{MUSIC FLAT SIGN}": -1}
KEY = re.compile(rf"([a-g])([{''.join(ACCIDENTALS)}]?)\s*({'|'.join(MODES)})?", re.IGNORECASE)

Vocals = Literal["vocal", "instrumental"]


@dataclass(frozen=True)
class Range:
    """A closed interval; infinite if there is no bound."""

    least: float
    most: float


@dataclass(frozen=True)
class Filters:
    """The conditions on a track; None or empty: no filter."""

    ranges: Mapping[str, Range] = field(default_factory=dict)  # by names of `COLUMNS`
    keys: frozenset[str] = frozenset()  # values of `TrackColumns.key`: any of these
    vocals: Vocals | None = None
    music: tuple[str, ...] = ()  # tags in lower case: all of these

    def __bool__(self) -> bool:
        return bool(self.ranges or self.keys or self.vocals or self.music)


NO_FILTERS = Filters()


def parse_filters(texts: Mapping[str, str | None]) -> Filters:
    """Return the filters in `texts`, by `NAMES`; a missing or empty text is no filter.

    Raises `ModelError` with the name, the value found and the values allowed.
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


def _range(name: str, text: str) -> Range:
    value = rf"{CLOCK}|{NUMBER}" if name == "length" else NUMBER
    bounds = re.fullmatch(rf"({value})?{BETWEEN}({value})?", text)
    if bounds is not None and any(bounds.groups()) and (all(bounds.groups()) or ".." in text):
        least, most = (None if bound is None else _number(bound) for bound in bounds.groups())
    elif name == "year" and re.fullmatch(NUMBER, text):
        least = most = _number(text)
    else:
        raise ModelError(f"{name}: found {text!r}, expected a range such as {EXAMPLES[name]}")
    found = Range(-math.inf if least is None else least, math.inf if most is None else most)
    if found.least > found.most:
        raise ModelError(
            f"{name}: found {text!r}, whose end is below its start; expected a range such as {EXAMPLES[name]}"
        )
    return found


def _number(text: str) -> float:
    """Return a number, or a time such as 1:30 in seconds."""
    sign, parts = (-1 if text.startswith("-") else 1), text.removeprefix("-").split(":")
    return sign * sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))


def _items(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",") if item.strip()]


def _keys(text: str) -> list[str]:
    """Return the keys that a text matches: one, both modes of a tonic, or all twelve of a mode."""
    if len(text) > 1 and text.lower() in MODES:
        return [f"{tonic} {MODES[text.lower()]}" for tonic in TONICS]
    found = KEY.fullmatch(text)
    if found is None:
        raise ModelError(f"key: found {text!r}, expected keys, tonics or modes, e.g. C minor, Bb, major")
    tonic = TONICS[(STEPS[found[1].lower()] + ACCIDENTALS[found[2].lower()]) % len(TONICS)]
    modes = (MODES[found[3].lower()],) if found[3] else ("major", "minor")
    return [f"{tonic} {mode}" for mode in modes]
