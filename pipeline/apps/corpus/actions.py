"""The actions of `python -m pipeline corpus`: add, remove, list and check films."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.apps.corpus.api import Api, ApiError
from pipeline.apps.corpus.category import harvest
from pipeline.apps.corpus.listing import Outcome, Wanted, add, articles_of, remove
from pipeline.apps.corpus.report import check
from pipeline.apps.corpus.source import read_wanted, site_of, wanted
from pipeline.apps.corpus.wording import MAX_SHOWN, columns, number
from pipeline.core.errors import CorpusError, PipelineError
from pipeline.core.text import one_line
from pipeline.corpus import ORIGIN, Film
from pipeline.corpus.forms import list_file
from pipeline.corpus.load import read_corpus
from pipeline.corpus.title import article_title, without_disambiguator
from pipeline.params import Params
from pipeline.scrape.agent import operator_contact, require_contact
from pipeline.scrape.client import Client

MAX_TITLE = 40  # characters of a title in `list`


def add_urls(options: argparse.Namespace, params: Params) -> int:
    """Add the films of the articles at `options.urls`; return the exit status."""
    if options.soundtrack and len(options.urls) > 1:
        raise CorpusError(
            f"--soundtrack: found {len(options.urls)} pages, expected one: the film with these recordings"
        )
    films = [wanted(url, options.soundtrack) for url in options.urls]
    return _added(options, params, films, [""] * len(films))


def add_file(options: argparse.Namespace, params: Params) -> int:
    """Add the films listed in a file; return the exit status."""
    lines, unused = read_wanted(options.file, sys.stdin.buffer)
    if not lines:
        raise CorpusError(f"{options.file} contains no URL")
    if unused:
        print(f"Columns not used: {', '.join(unused)}")
    return _added(options, params, [film for _, film in lines], [f"line {line}: " for line, _ in lines])


def add_category(options: argparse.Namespace, params: Params) -> int:
    """Add films of a category of a wiki; return the exit status."""
    site = site_of(options.site)
    contact = operator_contact(params.corpus)
    require_contact([site], contact)
    folder = _folder(options, params)
    known = articles_of(read_corpus(folder, *_reading(params)).films) if list_file(folder) else {}
    with Client(params.scrape, contact) as client:
        try:
            found = harvest(Api(site, client, params.scrape), options.name, options.limit, known)
        except ApiError as error:
            raise PipelineError(f"{one_line(options.name, MAX_SHOWN)}: {error}") from None
    status = _added(options, params, found.wanted, [""] * len(found.wanted))
    for reason, count in found.passed_over.most_common():
        print(f"{number(count, 'page')} skipped: {reason}")
    if len(found.wanted) == options.limit:
        print(f"stopped at --limit {options.limit}")
    if found.broken_off:
        print(f"ERROR: incomplete, run the command again to resume: {found.broken_off}", file=sys.stderr)
    return 1 if found.broken_off else status


def remove_films(options: argparse.Namespace, params: Params) -> int:
    """Remove the films `options.fids`; return the exit status."""
    folder = _folder(options, params)
    removed = remove(folder, options.fids, params.corpus)
    for line in columns((film.fid, one_line(film.wikipedia, MAX_SHOWN), "removed") for film in removed):
        print(line)
    current = folder == Path(params.corpus.folder)
    print(f"{len(removed):,} removed" + ("; the next `dvc repro` deletes their pages and recordings" * current))
    return 0


def list_films(options: argparse.Namespace, params: Params) -> int:
    """Print id, title, page and number of recordings of each film; return the exit status."""
    films = read_corpus(_folder(options, params), *_reading(params)).films
    for line in columns(map(_row, films)):
        print(line)
    return 0


def check_list(options: argparse.Namespace, params: Params) -> int:
    """Report on the list; return the exit status."""
    return check(Path(), _folder(options, params), params, print)


def _added(options: argparse.Namespace, params: Params, wanted: list[Wanted], places: list[str]) -> int:
    folder = _folder(options, params)
    outcomes = add(folder, wanted, params.corpus)
    for line in columns(map(_line, outcomes, places)) if outcomes else []:
        print(line)
    counts: Counter[str] = Counter(outcome.status for outcome in outcomes)
    words = {"added": "added", "there": "already in the list", "refused": "refused"}
    print(
        ", ".join(f"{counts[status]:,} {word}" for status, word in words.items() if counts[status] or status == "added")
    )
    if (folder / "meta.json").exists():
        _advise(folder, params, bool(counts["added"]))
    return 1 if counts["refused"] else 0


def _row(film: Film) -> tuple[str, str, str, str]:
    title = film.title or without_disambiguator(article_title(film.wikipedia))
    searches = sum(url.startswith("ytsearch") for url in film.soundtrack)
    recordings = number(len(film.soundtrack) - searches, "recording")
    found = f"{recordings}, {number(searches, 'search')}" if searches else recordings
    return film.fid, one_line(title, MAX_TITLE), one_line(film.wikipedia, MAX_SHOWN), found


def _line(outcome: Outcome, place: str) -> tuple[str, str, str]:
    message = {"added": "added", "there": f"already in the list: {outcome.reason}"}
    return (
        outcome.fid or "---",
        one_line(outcome.url, MAX_SHOWN),
        place + message.get(outcome.status, f"refused: {outcome.reason}"),
    )


def _advise(folder: Path, params: Params, added: bool) -> None:
    """Print the size of the list, and how to use it if it is not the current corpus."""
    films = read_corpus(folder, *_reading(params)).films
    print(f"{folder / 'meta.json'} lists {number(len(films), 'film')}")
    if not added:
        return
    served = sum(film.wikipedia.startswith(ORIGIN) for film in films)
    if folder != Path(params.corpus.folder):
        serve = "" if served else " and corpus.serve: null"
        print(f"To use it: set corpus.folder: {folder}{serve} in params.yaml, then run `dvc repro`")
    elif served:
        print(
            f"Note: {number(served, 'film')} of this list are part of the embedded corpus; "
            "--corpus data/mine starts a separate list"
        )
    print(f"To check it: python -m pipeline corpus check --corpus {folder}")


def _reading(params: Params) -> tuple[str, dict[Any, str]]:
    return params.corpus.search, params.corpus.fields


def _folder(options: argparse.Namespace, params: Params) -> Path:
    return Path(options.corpus or params.corpus.folder)
