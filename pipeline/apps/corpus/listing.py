"""Adding films to `meta.json`: existing entries stay byte for byte, new ones are appended."""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.apps.corpus.article import Article, NotAnArticleError, article_of, why_no_film
from pipeline.apps.corpus.ids import free_ids
from pipeline.core.errors import CorpusError
from pipeline.core.files import edited_file
from pipeline.corpus.film import Film
from pipeline.corpus.forms import JSON, list_file
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.load import films_in
from pipeline.corpus.section import Corpus
from pipeline.corpus.title import search_for, without_disambiguator, year_of_disambiguator

INDENT = "  "  # of a new list


@dataclass(frozen=True)
class Wanted:
    """A URL to add, and the film's year if known from more than the title."""

    url: str
    year: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The result for a wanted URL: `fid` is the film's id, new or existing; "" for a refused URL."""

    status: Literal["added", "there", "refused"]
    fid: str
    url: str  # in canonical form if added or known, else as given
    reason: str


def add(folder: Path, wanted: list[Wanted], corpus: Corpus) -> list[Outcome]:
    """Add films to `folder/meta.json`, creating it if missing, and return the outcome for each.

    The soundtrack of each is the search of `corpus.search`. Raises `CorpusError` if the existing list is not valid, or
    of another form, and leaves it unchanged.
    """
    if reference_layout(folder) is not None:
        raise CorpusError(f"{folder} has the reference's layout, which a list would override: use another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be created: {error.strerror}") from None
    listed = list_file(folder)
    if listed is not None and listed.name != JSON:
        raise CorpusError(f"{listed}: films can only be added to a {JSON}: add a line by hand, or use another folder")
    path = (folder / JSON).resolve()
    with _alone(folder):
        text = _text(path)
        if text.lstrip("\ufeff \t\r\n").startswith("["):
            raise CorpusError(f'{path} contains an array; films can only be added to an object {{"AAA": {{…}}}}')
        films = films_in(text, path, corpus.search, corpus.fields).films
        known, ids = articles_of(films), free_ids(film.fid for film in films)
        outcomes = [_outcome(item.url, known, ids) for item in wanted]
        new = {
            outcome.fid: _entry(outcome.url, item.year, corpus.search)
            for item, outcome in zip(wanted, outcomes, strict=True)
            if outcome.status == "added"
        }
        if new:
            _write(path, with_entries(text, new))
    return outcomes


def articles_of(films: Iterable[Film]) -> dict[Article, str]:
    """Return the id of each article; films whose URL is not an article's are left out."""
    known: dict[Article, str] = {}
    for film in films:
        with contextlib.suppress(NotAnArticleError):
            known.setdefault(article_of(film.wikipedia), film.fid)
    return known


def with_entries(text: str, new: dict[str, dict]) -> str:
    """Return the JSON object `text` with the entries `new` appended, in the same indentation."""
    body = text.rstrip()[:-1].rstrip()  # without the closing brace
    tail = text.rstrip(" \t")[len(text.rstrip()) :]  # keeps a final newline
    empty = body.lstrip("\ufeff \t\r\n") == "{"
    indent = re.match(r"\ufeff?\s*\{\s*?(\r?\n)([ \t]*)\"", text)
    if not indent and not empty:  # all on one line
        return f"{body}, {json.dumps(new, ensure_ascii=False)[1:-1]}}}{tail}"
    line, step = (indent[1], indent[2]) if indent else ("\n", INDENT)
    inner = json.dumps(new, ensure_ascii=False, indent=step or INDENT).removeprefix("{\n").removesuffix("\n}")
    return f"{body}{'' if empty else ','}{line}{inner.replace(chr(10), line)}{line}}}{tail or line}"


def _outcome(url: str, known: dict[Article, str], ids: Iterator[str]) -> Outcome:
    try:
        article = article_of(url)
    except NotAnArticleError as error:
        return Outcome("refused", "", url, str(error))
    if reason := why_no_film(article.title):
        return Outcome("refused", "", url, reason)
    if article in known:
        return Outcome("there", known[article], article.url, "the same article")
    try:
        known[article] = next(ids)
    except StopIteration:
        return Outcome("refused", "", url, "no id is left: a corpus has at most 17,576 films")
    return Outcome("added", known[article], article.url, "")


def _entry(url: str, year: int | None, search: str) -> dict:
    title = article_of(url).title
    year = year_of_disambiguator(title) if year is None else year
    return {"wikipedia": url, "soundtrack": [search_for(without_disambiguator(title), year, search)]}


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return "{}"
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    try:
        with edited_file(path) as temporary:
            temporary.write_bytes(text.encode())
    except OSError as error:
        raise CorpusError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the list against a concurrent command: the last to write would win."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
