"""Filters given as text."""

import math

import pytest

from pipeline.apps.recommend.filters import NAMES, NO_FILTERS, TONICS, Filters, Range, parse_filters
from pipeline.core.errors import ModelError


@pytest.mark.parametrize(
    ("name", "text", "least", "most"),
    [
        ("length", "1:00-3:00", 60, 180),
        ("length", " 0:30.5 .. 1:01:00 ", 30.5, 3660),
        ("length", "90-3:00", 90, 180),
        ("length", "90..", 90, math.inf),
        ("length", "..5:00", -math.inf, 300),
        ("tempo", "60-90", 60, 90),
        ("tempo", "60 – 90.5", 60, 90.5),
        ("tempo", "120..120", 120, 120),
        ("loudness", "-30..-14", -30, -14),
        ("loudness", "-30--14", -30, -14),
        ("loudness", "..-14", -math.inf, -14),
        ("year", "1920-1929", 1920, 1929),
        ("year", "1927", 1927, 1927),
    ],
)
def test_range(name, text, least, most):
    assert parse_filters({name: text}) == Filters(ranges={name: Range(least, most)})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("length", "long"),
        ("length", "3:00-1:00"),
        ("length", "1:60-2:00"),
        ("length", "..."),
        ("length", "1:00"),
        ("tempo", "slow"),
        ("tempo", "90"),
        ("tempo", "90-60"),
        ("tempo", "1:00-2:00"),
        ("tempo", "nan..inf"),
        ("tempo", "60-90-120"),
        ("tempo", "-90"),
        ("loudness", "-14"),
        ("loudness", ".."),
        ("year", "192x"),
        ("year", "1" * 5000),
        ("key", "H minor"),
        ("key", "C dorian"),
        ("key", "C##"),
        ("vocals", "yes"),
    ],
)
def test_what_is_no_filter_is_named_with_what_is_allowed(name, text):
    with pytest.raises(ModelError) as raised:
        parse_filters({name: text})
    assert str(raised.value).startswith(f"{name}: found {text!r}")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("C minor", {"C minor"}),
        ("c MINOR, Bb", {"C minor", "A# major", "A# minor"}),
        ("a", {"A major", "A minor"}),
        ("F♯m", {"F# minor"}),
        ("E♭ maj", {"D# major"}),
        ("Cb major, e# min", {"B major", "F minor"}),
        ("b minor", {"B minor"}),
        ("minor", {f"{tonic} minor" for tonic in TONICS}),
        ("major,", {f"{tonic} major" for tonic in TONICS}),
    ],
)
def test_keys(text, keys):
    assert parse_filters({"key": text}).keys == keys


def test_several_filters_and_none():
    texts = {"vocals": " instrumental ", "music": "Strings,  slow  piano,, strings", "tempo": None, "year": " "}
    assert parse_filters(texts) == Filters(vocals="instrumental", music=("strings", "slow piano"))
    assert parse_filters(dict.fromkeys(NAMES, "")) == NO_FILTERS
    assert not NO_FILTERS
    assert all((Filters(vocals="vocal"), Filters(music=("slow",)), Filters(keys=frozenset(["C major"]))))
