"""A corpus: a folder with a `meta.json` that lists films, and sometimes the site that they are fetched from.

    {"AAA": {"wikipedia": "https://en.wikipedia.org/wiki/Sherlock_Jr.", "soundtrack": ["https://…"]}, "AAB": …}

A URL that begins with `{origin}` is served from the corpus's own folder (`pipeline.serve`). Values of `title`, `year`,
`tags`, `plot` and `image` that `meta.json` gives win over scraped ones.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import CorpusError

FID = re.compile(r"[A-Z]{3}")
ORIGIN = "{origin}"
FIELDS = ("wikipedia", "soundtrack", "title", "year", "tags", "plot", "image")
SEARCH = re.compile(r"ytsearch[0-9]*:.+", re.DOTALL)


@dataclass(frozen=True)
class Film:
    """One entry of `meta.json`; what it does not give is None."""

    fid: str
    wikipedia: str
    soundtrack: tuple[str, ...]
    title: str | None = None
    year: int | None = None
    tags: str | None = None
    plot: str | None = None
    image: str | None = None


def load_films(folder: Path) -> list[Film]:
    """Return the films of `folder/meta.json` by id; raise `CorpusError` naming every film and field that is wrong."""
    path = folder / "meta.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique_keys)
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing: let corpus.folder in params.yaml name the corpus") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON: {error}") from None
    except _RepeatedKey as error:
        raise CorpusError(f"{path}: {error} occurs twice: give each film its own id") from None
    if not isinstance(raw, dict):
        raise CorpusError(f'{path} must hold an object {{"AAA": {{…}}, …}}, found a {type(raw).__name__}')
    if not raw:
        raise CorpusError(f"{path} lists no film")
    problems = [f"{path}: {problem}" for fid, entry in raw.items() for problem in _problems(fid, entry)]
    if problems:
        raise CorpusError("\n".join(problems))
    return [_film(fid, raw[fid]) for fid in sorted(raw)]


class _RepeatedKey(Exception):
    pass


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(repr(next(key for key in keys if keys.count(key) > 1)))
    return result


def _problems(fid: str, entry: Any) -> list[str]:
    if not FID.fullmatch(fid):
        return [f"{fid!r}: an id is three capital letters, AAA to ZZZ"]
    if not isinstance(entry, dict):
        return [f"{fid}: found {entry!r}, expected an object with the fields {', '.join(FIELDS)}"]
    found = [f"{fid}.{key}: unknown field; allowed are {', '.join(FIELDS)}" for key in entry if key not in FIELDS]
    found += [f"{fid}.{key}: missing field" for key in ("wikipedia", "soundtrack") if key not in entry]
    checks = {
        "wikipedia": (_is_web, "a URL that begins with https://, http:// or {origin}/"),
        "soundtrack": (_is_soundtrack, "a list of URLs (https://, http:// or {origin}/) and searches (ytsearch1:…)"),
        "title": (_is_text, "a text"),
        "year": (lambda value: type(value) is int and 1870 <= value <= 2100, "a year from 1870 to 2100"),
        "tags": (_is_tags, "a text of words, or a list of texts"),
        "plot": (_is_text, "a text; paragraphs are separated by newlines"),
        "image": (_is_web, "a URL that begins with https://, http:// or {origin}/"),
    }
    for key, (accepts, expected) in checks.items():
        if key in entry and not accepts(entry[key]):
            found.append(f"{fid}.{key}: found {_short(entry[key])}, expected {expected}")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_tags(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


def _is_web(value: Any) -> bool:
    if not isinstance(value, str) or any(ord(character) <= 32 for character in value):
        return False
    if value.startswith(ORIGIN + "/"):
        return True
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _is_soundtrack(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_web(item) or (isinstance(item, str) and bool(SEARCH.fullmatch(item))) for item in value
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _film(fid: str, entry: dict[str, Any]) -> Film:
    tags = entry.get("tags")
    return Film(
        fid=fid,
        wikipedia=entry["wikipedia"],
        soundtrack=tuple(entry["soundtrack"]),
        title=_collapsed(entry.get("title")),
        year=entry.get("year"),
        tags=_collapsed(" ".join(tags) if isinstance(tags, list) else tags),
        plot="\n".join(filter(None, map(_collapsed, entry["plot"].splitlines()))) if "plot" in entry else None,
        image=entry.get("image"),
    )


def _collapsed(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())
