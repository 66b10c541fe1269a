"""One entry of a list: its fields, their names in foreign lists, and its problems.

A field has the name in `corpus.fields`, else its own or one of `OTHER_NAMES`; other fields are not used. An entry with
names other than ours is of a foreign list: null and empty values mean unknown, a year may be text (1927, 1927-01-10),
recordings may be one text (separated by | or line ends; URLs also by commas, semicolons or spaces), and a bare YouTube
id is a recording. An entry without soundtrack gets a search.
"""

import re
import reprlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
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
KNOWN = {*FIELDS, *OTHER_NAMES}
SEARCH = re.compile(r"ytsearch[0-9]*:.*\S.*", re.DOTALL)
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
SEPARATORS = re.compile(r"[,;\s]+")
YEAR_AS_TEXT = re.compile(r"\s*([0-9]{4})(\.0|-[0-9]{2}(-[0-9]{2}.*)?)?\s*", re.DOTALL)
MAX_URL = 4000  # characters; servers refuse URLs of 8,000
MAX_TITLE = 500  # characters; Wikipedia's longest have 255 bytes
MAX_SEARCH = 1000  # characters
UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
SHOWN = 80  # characters of an invalid value
EXAMPLES = 3  # of each kind of problem
EXPECTED = {
    "wikipedia": "a URL that begins with https://, http:// or {origin}/",
    "soundtrack": "a list of URLs (https://, http:// or {origin}/) and searches (ytsearch1:…)",
    "title": f"a text of at most {MAX_TITLE} characters",
    "year": f"a year from {YEARS[0]} to {YEARS[-1]}",
    "tags": "a text of words, or a list of texts",
    "plot": "a text; paragraphs are separated by newlines",
    "image": "a URL that begins with https://, http:// or {origin}/",
}
BAD_ID = "an id is three capital letters, AAA to ZZZ"

Entry = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A problem of a film; problems with the same `field` and `what` are of one kind."""

    fid: str  # printable
    field: str  # by its name in the list; "" for the whole entry
    found: str  # the value, formatted by `short`, or ""
    what: str

    def __str__(self) -> str:
        place = f"{self.fid}.{self.field}" if self.field else self.fid
        return f"{place}: {f'found {self.found}, ' if self.found else ''}{self.what}"


@dataclass(frozen=True)
class Reading:
    """The values of an entry by our fields, their names in the list, and the problems."""

    values: Entry = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_entry(fid: str, entry: Any, fields: Mapping[str, str], foreign: bool) -> Reading:
    """Return the reading of the entry `fid`; `foreign` if its list is of a form other than ours."""
    if not FID.fullmatch(fid):
        return Reading(problems=[Problem(short(fid), "", "", BAD_ID)])
    if not isinstance(entry, dict):
        return Reading(problems=[Problem(fid, "", short(entry), f"expected an object with {', '.join(FIELDS)}")])
    foreign = foreign or bool(fields) or not entry.keys() <= set(FIELDS)
    reading = Reading()
    for own in FIELDS:
        found = _found(entry, own, fields)
        if foreign:
            found = {name: value for name, value in found.items() if not _is_nothing(own, value)}
        if len(found) > 1:
            what = f"{' and '.join(found)} are names of the same field; keep one"
            reading.problems.append(Problem(fid, "", "", what))
        for name, value in found.items():
            reading.values[own] = _converted(own, value, foreign)
            reading.names[own] = name
            if not _accepts(own, reading.values[own]):
                reading.problems.append(Problem(fid, shown_name(name), short(value), f"expected {EXPECTED[own]}"))
    if "wikipedia" not in reading.values:
        reading.problems.append(Problem(fid, "wikipedia", "", "missing field"))
    elif not reading.problems and "soundtrack" not in reading.values and not _title(reading.values):
        advice = "add its recordings, or its title for a search"
        reading.problems.append(Problem(fid, "soundtrack", "", f"missing field, and no title in the URL: {advice}"))
    return reading


def film_of(fid: str, values: Entry, search: str) -> Film:
    """Return the film of a reading without problems; `search` is the template for films without a soundtrack."""
    tags, plot, soundtrack = values.get("tags"), values.get("plot"), values.get("soundtrack")
    if soundtrack is None:
        year = values.get("year", year_of_disambiguator(article_title(values["wikipedia"])))
        soundtrack = [search_for(_title(values), year, search)]
    return Film(
        fid=fid,
        wikipedia=values["wikipedia"],
        soundtrack=tuple(soundtrack),
        title=collapsed(values["title"]) if "title" in values else None,
        year=values.get("year"),
        tags=None if tags is None else collapsed(" ".join(tags) if isinstance(tags, list) else tags),
        plot=None if plot is None else "\n".join(filter(None, map(collapsed, plot.splitlines()))),
        image=values.get("image"),
    )


def unused_fields(entries: Iterable[Any], used: Container[str]) -> list[str]:
    """Return the names of fields in `entries` that are not in `used`, printable and sorted."""
    names = {name for entry in entries if isinstance(entry, dict) for name in entry if name not in used}
    return sorted(map(shown_name, names))


def value_at(entry: Any, path: str) -> Any:
    """Return the value in `entry` at a dotted path, for a list the values in its items; `MISSING` if there is none.

    A name that itself contains the dots takes precedence.
    """
    if isinstance(entry, list):
        found = [value_at(item, path) for item in entry if isinstance(item, dict)]
        return [value for value in found if value is not MISSING] or MISSING
    if not isinstance(entry, dict):
        return MISSING
    if path in entry:
        return entry[path]
    head, dot, rest = path.partition(".")
    return value_at(entry[head], rest) if dot and head in entry else MISSING


def grouped(problems: Iterable[Problem]) -> list[str]:
    """Return one line per kind of problem, with the number of films and three examples."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.field, problem.what), []).append(problem)
    lines = []
    for first, *others in kinds.values():
        also = [f"{one.fid}: {one.found}" if one.found else one.fid for one in others[: EXAMPLES - 1]]
        more = ", …" if len(others) >= EXAMPLES else ""
        lines.append(f"{first} ({len(others) + 1:,} films; also {', '.join(also)}{more})" if others else str(first))
    return lines


def short(value: Any) -> str:
    """Return the `repr` of `value`, printable and at most 80 characters long."""
    text = _SHORT.repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def shown_name(key: str) -> str:
    """Return the name of a field, printable and at most 80 characters long."""
    return key if key.replace(".", "_").isidentifier() and key.isascii() and len(key) <= SHOWN else short(key)


def is_text(value: Any) -> bool:
    """Return whether `value` is a non-blank string that can be written as UTF-8."""
    return isinstance(value, str) and bool(collapsed(value)) and not re.search(r"[\ud800-\udfff]", value)


def is_web(value: Any) -> bool:
    """Return whether `value` is a URL to fetch: https, http or the corpus's own."""
    if not isinstance(value, str) or len(value) > MAX_URL or UNUSABLE.search(value) or re.search(r"\s", value):
        return False
    if value.startswith(ORIGIN + "/"):
        return True
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


MISSING = object()
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = SHOWN
_SHORT.maxlevel = 2


def _found(entry: Entry, own: str, fields: Mapping[str, str]) -> Entry:
    """Return the value of a field by its name in the entry; several if the entry has several names."""
    if own in fields and (value := value_at(entry, fields[own])) is not MISSING:
        return {fields[own]: value}
    taken = {path for other, path in fields.items() if other != own}
    return {name: entry[name] for name in entry if OTHER_NAMES.get(name, name) == own and name not in taken}


def _is_nothing(own: str, value: Any) -> bool:
    if value == []:  # an empty soundtrack: the film has no recordings
        return own != "soundtrack"
    return value is None or (isinstance(value, str) and not value.strip())


def _converted(own: str, value: Any, foreign: bool) -> Any:
    """Return a value in our form, if its form is known."""
    if own == "soundtrack":
        if isinstance(value, str):
            value = _recordings(value) if foreign else [value]
        return [_video(item) for item in value] if foreign and isinstance(value, list) else value
    if own == "year" and foreign:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return int(text[1]) if isinstance(value, str) and (text := YEAR_AS_TEXT.fullmatch(value)) else value
    return value.strip() if foreign and own in ("wikipedia", "image") and isinstance(value, str) else value


def _recordings(text: str) -> list[str]:
    """Return the recordings in one text."""
    found: list[str] = []
    for part in filter(None, map(str.strip, re.split(r"[|\n]", text))):
        words = SEPARATORS.split(part)
        if all(map(YOUTUBE_ID.fullmatch, words)):
            found += words
        elif is_web(words[0]):  # a URL may contain a comma: split only before another URL
            found += re.split(SEPARATORS.pattern + r"(?=https?://|\{origin\}/)", part)
        else:
            found.append(part)
    return found


def _video(value: Any) -> Any:
    is_id = isinstance(value, str) and YOUTUBE_ID.fullmatch(value)
    return f"https://www.youtube.com/watch?v={value}" if is_id else value


def _title(values: Entry) -> str:
    return collapsed(values.get("title") or without_disambiguator(article_title(values["wikipedia"])))


def _accepts(own: str, value: Any) -> bool:
    if own in ("wikipedia", "image"):
        return is_web(value)
    if own == "soundtrack":
        return isinstance(value, list) and all(map(_is_recording, value))
    if own == "year":
        return type(value) is int and value in YEARS
    if own == "tags" and isinstance(value, list):
        return bool(value) and all(map(is_text, value))
    return is_text(value) and not (own == "title" and len(value) > MAX_TITLE)


def _is_recording(value: Any) -> bool:
    if isinstance(value, str) and SEARCH.fullmatch(value):
        return len(value) <= MAX_SEARCH and not UNUSABLE.search(value)
    return is_web(value)
