"""Metadata tags of a file: title, artist, album and year. They are untrusted.

Texts are on one line, without control characters, direction marks and surrogates, at most `MAX_CHARS` long, and in NFC.
Tags that are not UTF-8 are read as Windows-1252, which includes the letters of Latin-1.
"""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.apps.recommend.formats import plain
from pipeline.media.audio import NotAudioError
from pipeline.media.sandbox import metadata

MAX_CHARS = 300
NAMES = {  # names of each tag in lower case, first match wins; AVI calls an album a product
    "title": ("title",),
    "artist": ("artist", "album_artist", "performer", "author"),
    "album": ("album", "product"),
}
DATES = ("date", "year", "date_released", "date_recorded", "originaldate", "originalyear", "tdor", "tory")
YEAR = re.compile(r"(?<!\d)([12]\d{3})((0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{6})?)?(?!\d)")  # or 20190412


def clean(text: str, most: int = MAX_CHARS) -> str:
    """Return `text` on one line without control characters, cut to `most` characters."""
    line = plain(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def named(text: str) -> str:
    """Return a name for storage and comparison: `clean`, in NFC, since macOS and zip files decompose accents."""
    return clean(unicodedata.normalize("NFC", text))


def tags_of(path: Path) -> dict[str, Any]:
    """Return the title, artist, album and year in the metadata of the file at `path`, as far as present.

    Empty for an unreadable file.
    """
    try:
        found = {name: _decoded(text) for name, text in metadata(path).items()}
    except (NotAudioError, OSError):
        return {}
    tags: dict[str, Any] = {tag: text for tag, names in NAMES.items() if (text := _first(found, names))}
    if year := YEAR.search(" ".join(found.get(name, "") for name in DATES)):
        tags["year"] = int(year[1])
    return tags


def _first(found: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := named(found.get(name, "")))), "")


def _decoded(text: str) -> str:
    """Return a tag; one with surrogates, from bytes that are not UTF-8, is decoded as Windows-1252."""
    if not any("\udc80" <= c <= "\udcff" for c in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
