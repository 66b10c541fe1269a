"""The actions of `python -m pipeline corpus`: add films by URL, from a file or from a category; check the list."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.apps.corpus.api import Api, ApiError
from pipeline.apps.corpus.category import harvest
from pipeline.apps.corpus.listing import Outcome, Wanted, add, articles_of
from pipeline.apps.corpus.report import check
from pipeline.apps.corpus.source import read_urls, site_of
from pipeline.apps.corpus.wording import MAX_SHOWN, columns, number
from pipeline.core.errors import CorpusError, PipelineError
from pipeline.core.text import one_line
from pipeline.corpus import ORIGIN
from pipeline.corpus.forms import list_file
from pipeline.corpus.load import read_corpus
from pipeline.params import Params
from pipeline.scrape.agent import operator_contact, require_contact
from pipeline.scrape.client import Client


def add_urls(options: argparse.Namespace, params: Params) -> int:
    """Add the films of the articles at `options.urls`; return the exit status."""
    return _added(options, params, [Wanted(url) for url in options.urls], [""] * len(options.urls))


def add_file(options: argparse.Namespace, params: Params) -> int:
    """Add the films listed in a file; return the exit status."""
    lines = read_urls(options.file, sys.stdin.buffer)
    if not lines:
        raise CorpusError(f"{options.file} contains no URL")
    return _added(options, params, [Wanted(url) for _, url in lines], [f"line {line}: " for line, _ in lines])


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
