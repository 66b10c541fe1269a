"""Adding films to `meta.json`, and removing films: other entries stay byte for byte, new ones are appended."""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.apps.corpus.article import Article, NotAnArticleError, article_of, why_no_film
from pipeline.apps.corpus.edit import with_entries, without_entries
from pipeline.apps.corpus.ids import free_ids
from pipeline.core.errors import CorpusError
from pipeline.core.files import edited_file
from pipeline.corpus.entry import short
from pipeline.corpus.film import Film
from pipeline.corpus.forms import JSON, list_file
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.load import films_in, read_corpus
from pipeline.corpus.section import Corpus
from pipeline.corpus.title import search_for, without_disambiguator, year_of_disambiguator


@dataclass(frozen=True)
class Wanted:
    """A URL to add, and the film's year if known from more than the title.

    `values` are further fields of its entry, already checked; `problem` is the reason to refuse it, if any.
    """

    url: str
    year: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result for a wanted URL: `fid` is the film's id, new or existing; "" for a refused URL."""

    status: Literal["added", "there", "refused"]
    fid: str
    url: str  # in canonical form if added or known, else as given
    reason: str


def add(folder: Path, wanted: list[Wanted], corpus: Corpus) -> list[Outcome]:
    """Add films to `folder/meta.json`, creating it if missing, and return the outcome for each.

    The soundtrack of each, if not given, is the search of `corpus.search`. Raises `CorpusError` if the existing list is
    not valid, or of another form, and leaves it unchanged.
    """
    if reference_layout(folder) is not None:
        raise CorpusError(f"{folder} has the reference's layout, which a list would override: use another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be created: {error.strerror}") from None
    with _opened(folder, corpus) as (path, text, films):
        known, ids = articles_of(films), free_ids(film.fid for film in films)
        outcomes = [_outcome(item, known, ids) for item in wanted]
        new = {
            outcome.fid: _entry(outcome.url, item, corpus.search)
            for item, outcome in zip(wanted, outcomes, strict=True)
            if outcome.status == "added"
        }
        if new:
            _write(path, with_entries(text, new))
    return outcomes


def remove(folder: Path, fids: Collection[str], corpus: Corpus) -> list[Film]:
    """Remove the films `fids` from `folder/meta.json`, and return them.

    Raises `CorpusError` if the list has no such film, is not valid or of another form, and leaves it unchanged.
    """
    read_corpus(folder, corpus.search, corpus.fields)
    if reference_layout(folder) is not None:
        raise CorpusError(f"{folder} has the reference's layout, without a list: remove a film's files by hand")
    with _opened(folder, corpus) as (path, text, films):
        if unknown := sorted(set(fids) - {film.fid for film in films}):
            names = ", ".join(map(short, unknown))
            raise CorpusError(f"{path}: found no film {names}; `python -m pipeline corpus list` shows the ids")
        _write(path, without_entries(text, fids))
    return [film for film in films if film.fid in fids]


def articles_of(films: Iterable[Film]) -> dict[Article, str]:
    """Return the id of each article; films whose URL is not an article's are left out."""
    known: dict[Article, str] = {}
    for film in films:
        with contextlib.suppress(NotAnArticleError):
            known.setdefault(article_of(film.wikipedia), film.fid)
    return known


def _outcome(item: Wanted, known: dict[Article, str], ids: Iterator[str]) -> Outcome:
    if item.problem:
        return Outcome("refused", "", item.url, item.problem)
    try:
        article = article_of(item.url)
    except NotAnArticleError as error:
        return Outcome("refused", "", item.url, str(error))
    if reason := why_no_film(article.title):
        return Outcome("refused", "", item.url, reason)
    if article in known:
        unchanged = ", its entry is unchanged" if item.values else ""
        return Outcome("there", known[article], article.url, f"the same article{unchanged}")
    try:
        known[article] = next(ids)
    except StopIteration:
        return Outcome("refused", "", item.url, "no id is left: a corpus has at most 17,576 films")
    return Outcome("added", known[article], article.url, "")


def _entry(url: str, item: Wanted, search: str) -> dict:
    title = article_of(url).title
    year = item.values.get("year", year_of_disambiguator(title) if item.year is None else item.year)
    name = item.values.get("title", without_disambiguator(title))
    return {"wikipedia": url, "soundtrack": [search_for(name, year, search)]} | item.values


@contextlib.contextmanager
def _opened(folder: Path, corpus: Corpus) -> Iterator[tuple[Path, str, list[Film]]]:
    """Yield the path of the list, its text and its films, locked; raise `CorpusError` if it cannot be edited."""
    listed = list_file(folder)
    if listed is not None and listed.name != JSON:
        raise CorpusError(f"{listed}: only a {JSON} can be edited: edit the file by hand, or use another folder")
    path = (folder / JSON).resolve()
    with _alone(folder):
        text = _text(path)
        if text.lstrip("\ufeff \t\r\n").startswith("["):
            raise CorpusError(f'{path} contains an array; only an object {{"AAA": {{…}}}} can be edited')
        yield path, text, films_in(text, path, corpus.search, corpus.fields).films


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
