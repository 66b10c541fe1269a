"""One entry of `meta.json`: its fields, the other names that lists in use give them, and what is wrong with it.

An entry that uses one of the other names comes from somebody else's list: there `null` means that nothing is known. A
bare YouTube id under another name of `soundtrack` stands for its video. An entry without soundtrack gets a search.
"""

import re
import reprlib
from typing import Any
from urllib.parse import urlsplit

from pipeline.corpus.film import FID, ORIGIN, YEARS, Film
from pipeline.corpus.title import article_title, collapsed, search_for, without_disambiguator, year_of_disambiguator

FIELDS = ("wikipedia", "soundtrack", "title", "year", "tags", "plot", "image")
OTHER_NAMES = {
    "wikipedia_url": "wikipedia",
    "wiki_url": "wikipedia",
    "url": "wikipedia",
    "youtube": "soundtrack",
    "youtube_urls": "soundtrack",
    "audio": "soundtrack",
    "name": "title",
}
ALLOWED = f"{', '.join(FIELDS)} (or {', '.join(OTHER_NAMES)})"
SEARCH = re.compile(r"ytsearch[0-9]*:.*\S.*", re.DOTALL)
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
MAX_URL = 4000  # characters; servers refuse URLs of 8,000
MAX_TITLE = 500  # characters; Wikipedia's longest have 255 bytes
MAX_SEARCH = 1000  # characters
UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, halves of surrogate pairs
SHOWN = 80  # characters of a wrong value

Entry = dict[str, Any]


def problems_of(fid: str, entry: Any) -> list[str]:
    """Return what is wrong with the entry `fid`, a line each; [] when `film_of` can take it."""
    if not FID.fullmatch(fid):
        return [f"{short(fid)}: an id is three capital letters, AAA to ZZZ"]
    if not isinstance(entry, dict):
        return [f"{fid}: found {short(entry)}, expected an object with the fields {', '.join(FIELDS)}"]
    found = [f"{fid}.{_name(key)}: unknown field; allowed are {ALLOWED}" for key in entry if key not in _KNOWN]
    given = _known(entry)
    for field in FIELDS:
        names = [name for name in given if OTHER_NAMES.get(name, name) == field]
        if len(names) > 1:
            found.append(f"{fid}: {' and '.join(names)} are two names of one field; keep one")
        found += [
            f"{fid}.{name}: found {short(given[name])}, expected {EXPECTED[field]}"
            for name in names
            if not _accepts(field, name, given[name])
        ]
    values = _canonical(entry)
    if "wikipedia" not in values:
        found.append(f"{fid}.wikipedia: missing field")
    elif not found and "soundtrack" not in values and not _title(values):
        advice = "name its recordings, or its title, of which a search is made"
        found.append(f"{fid}.soundtrack: missing field, and the URL spells no title: {advice}")
    return found


def film_of(fid: str, entry: Entry, search: str) -> Film:
    """Return the film of an entry without problems; `search` is the template for one without a soundtrack."""
    values = _canonical(entry)
    tags, plot = values.get("tags"), values.get("plot")
    if "soundtrack" not in values:
        year = values.get("year", year_of_disambiguator(article_title(values["wikipedia"])))
        values["soundtrack"] = [search_for(_title(values), year, search)]
    return Film(
        fid=fid,
        wikipedia=values["wikipedia"],
        soundtrack=tuple(values["soundtrack"]),
        title=collapsed(values["title"]) if "title" in values else None,
        year=values.get("year"),
        tags=None if tags is None else collapsed(" ".join(tags) if isinstance(tags, list) else tags),
        plot=None if plot is None else "\n".join(filter(None, map(collapsed, plot.splitlines()))),
        image=values.get("image"),
    )


def short(value: Any) -> str:
    """Return `value` as Python writes it, printable and of at most 80 characters."""
    text = _SHORT.repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def is_text(value: Any) -> bool:
    """Say whether `value` is a string with something to read in it that can be written as UTF-8."""
    return isinstance(value, str) and bool(collapsed(value)) and not re.search(r"[\ud800-\udfff]", value)


def is_web(value: Any) -> bool:
    """Say whether `value` is a URL to fetch: https, http or the corpus's own."""
    if not isinstance(value, str) or len(value) > MAX_URL or UNUSABLE.search(value) or re.search(r"\s", value):
        return False
    if value.startswith(ORIGIN + "/"):
        return True
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


EXPECTED = {
    "wikipedia": "a URL that begins with https://, http:// or {origin}/",
    "soundtrack": "a list of URLs (https://, http:// or {origin}/) and searches (ytsearch1:…)",
    "title": f"a text of at most {MAX_TITLE} characters",
    "year": f"a year from {YEARS[0]} to {YEARS[-1]}",
    "tags": "a text of words, or a list of texts",
    "plot": "a text; paragraphs are separated by newlines",
    "image": "a URL that begins with https://, http:// or {origin}/",
}
_KNOWN = {*FIELDS, *OTHER_NAMES}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = SHOWN
_SHORT.maxlevel = 2


def _known(entry: Entry) -> Entry:
    """Return the fields of known names; without those that are null, where the list is somebody else's."""
    foreign = any(name in OTHER_NAMES for name in entry)
    return {name: value for name, value in entry.items() if name in _KNOWN and not (foreign and value is None)}


def _canonical(entry: Entry) -> Entry:
    values = {OTHER_NAMES.get(name, name): _video(name, value) for name, value in _known(entry).items()}
    if isinstance(values.get("soundtrack"), str):
        values["soundtrack"] = [values["soundtrack"]]
    return values


def _video(name: str, value: Any) -> Any:
    """Return `value` with the YouTube ids under another name of `soundtrack` as URLs."""
    if OTHER_NAMES.get(name) != "soundtrack":
        return value
    if isinstance(value, list):
        return [_video(name, item) for item in value]
    is_id = isinstance(value, str) and YOUTUBE_ID.fullmatch(value)
    return f"https://www.youtube.com/watch?v={value}" if is_id else value


def _title(values: Entry) -> str:
    return collapsed(values.get("title") or without_disambiguator(article_title(values["wikipedia"])))


def _accepts(field: str, name: str, value: Any) -> bool:
    if field in ("wikipedia", "image"):
        return is_web(value)
    if field == "soundtrack":
        recordings = _video(name, value)
        return all(map(_is_recording, recordings if isinstance(recordings, list) else [recordings]))
    if field == "year":
        return type(value) is int and value in YEARS
    if field == "tags" and isinstance(value, list):
        return bool(value) and all(map(is_text, value))
    return is_text(value) and not (field == "title" and len(value) > MAX_TITLE)


def _is_recording(value: Any) -> bool:
    if isinstance(value, str) and SEARCH.fullmatch(value):
        return len(value) <= MAX_SEARCH and not UNUSABLE.search(value)
    return is_web(value)


def _name(key: str) -> str:
    return key if key.isidentifier() and key.isascii() and len(key) <= SHOWN else short(key)
