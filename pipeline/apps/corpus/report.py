"""`corpus check`: how a list is read, its problems, and an estimate for fetching it, as text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.apps.corpus.api import Api, ApiError
from pipeline.apps.corpus.check import (
    Found,
    Problem,
    articles_by_site,
    look_up,
    lost_recordings,
    problems_of_titles,
    problems_on_disk,
    problems_on_paper,
)
from pipeline.apps.corpus.estimate import Estimate, estimate
from pipeline.apps.corpus.kind import trouble_with
from pipeline.apps.corpus.remaining import remaining
from pipeline.apps.corpus.wording import MAX_SHOWN, columns, duration, number, size
from pipeline.core.errors import CorpusError, ParamsError
from pipeline.core.text import one_line
from pipeline.corpus import ORIGIN, Film
from pipeline.corpus.entry import FIELDS
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.load import FilmList, read_corpus
from pipeline.corpus.site import site_folder
from pipeline.params import Params
from pipeline.scrape.agent import operator_contact, require_contact
from pipeline.scrape.client import Client
from pipeline.split.few import few_test_films, too_few_films

MAX_LINE = 160  # characters of a line about the first film
MAX_FIDS = 4  # shown per problem

Report = Callable[[str], None]


def check(root: Path, folder: Path, params: Params, report: Report) -> int:
    """Report how the list in `folder` is read, its problems, and the estimate for fetching the rest.

    Returns 1 if there are problems. Raises `CorpusError` with a line for each kind of problem if it does not load.
    """
    listed = read_corpus(folder, params.corpus.search, params.corpus.fields)
    films = listed.films
    in_layout = reference_layout(folder) is not None
    report(f"{listed.path}: {number(len(films), 'film')}" + (", in the reference's layout" if in_layout else ""))
    _report_first(listed, report)
    try:
        site = site_folder(folder, params.corpus.serve)
    except CorpusError as error:
        site = None
        if any(url.startswith(ORIGIN) for film in films for url in (film.wikipedia, *film.soundtrack)):
            report(str(error))
    problems = [*problems_on_paper(films), *problems_on_disk(films, site)]
    _report_problems(problems, report)
    _report_own(films, site, report)
    found, asked = _ask_wikis(films, params, report)
    _report_few(len(films), params, report)
    corpus = folder.relative_to(root) if folder.is_relative_to(root) else folder
    left = remaining(root, corpus.as_posix(), films, params.download.retry)
    _report_estimate(estimate(left, params.scrape, params.download), report)
    wrong = len(problems) + found
    report("No problems found." if asked and not wrong else _verdict(wrong, asked))
    return 0 if asked and not wrong else 1


def _report_first(listed: FilmList, report: Report) -> None:
    """Report the fields of the first film, each with its name in the list."""
    first = listed.films[0]
    rows = []
    for own in FIELDS:
        value = getattr(first, own)
        source = f"from {listed.names[own]}" if own in listed.names else "not given" if listed.names else ""
        if own == "soundtrack" and listed.names and own not in listed.names:
            source = "by corpus.search"
        rows.append((own, source, _shown(value)))
    report(f"The first film, {first.fid}, is read as:")
    for line in columns(rows, MAX_LINE):
        report(f"  {line}")
    for note in listed.notes:
        report(note[0].upper() + note[1:])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "  ".join(value) if value else "none"
    return "" if value is None else str(value)


def _ask_wikis(films: list[Film], params: Params, report: Report) -> tuple[int, bool]:
    """Look up the titles in each wiki; return the number of problems, and whether all were looked up."""
    sites = {site: articles for site, articles in articles_by_site(films).items() if site != ORIGIN}
    unclear = sum(not film.wikipedia.startswith(ORIGIN) and film.wikipedia != "" for film in films)
    unclear -= sum(len(fids) for articles in sites.values() for fids in articles.values())
    if unclear:
        report(f"{number(unclear, 'URL')} not of the form SITE/wiki/Title: not looked up")
    if not sites:
        return 0, True
    try:
        contact = operator_contact(params.corpus)
        require_contact(sites, contact)
    except ParamsError as error:
        report(f"\nTitles were not looked up: {error}")
        return 0, False
    problems, redirects, asked = [], [], True
    with Client(params.scrape, contact) as client:
        for site, articles in sites.items():
            found: list[Found] = []
            try:
                found.extend(look_up(Api(site, client, params.scrape), articles))
            except ApiError as error:
                report(f"\n{number(len(articles) - len(found), 'title')} not looked up: {error}")
                asked = False
            problems += problems_of_titles(found)
            redirects += [one for one in found if one.facts.redirected and not trouble_with(one.facts)]
    _report_problems(problems, report)
    if redirects:
        report(f"\n{number(len(redirects), 'redirect')}, which scraping follows:")
        for line in columns(((one.fids[0], f"{one.title} →", one.facts.title) for one in redirects), MAX_SHOWN):
            report(f"  {line}")
    return len(problems), asked


def _report_problems(problems: list[Problem], report: Report) -> None:
    if not problems:
        return
    report(f"\n{number(len(problems), 'problem')}:")
    for line in columns(((problem.word, _fids(problem.fids), problem.what) for problem in problems), MAX_SHOWN):
        report(f"  {line}")


def _fids(fids: tuple[str, ...]) -> str:
    more = len(fids) - MAX_FIDS
    return " ".join(fids[:MAX_FIDS]) + (f" and {more} more" if more > 0 else "")


def _report_own(films: list[Film], site: Path | None, report: Report) -> None:
    """Report the files served by the corpus itself, and missing recordings, which are not an error."""
    pages = sum(film.wikipedia.startswith(ORIGIN) for film in films)
    images = sum((film.image or "").startswith(ORIGIN) for film in films)
    recordings = sum(url.startswith(ORIGIN) for film in films for url in film.soundtrack)
    if pages + images + recordings == 0:
        return
    parts = [number(pages, "page"), number(images, "image"), number(recordings, "recording")]
    report(f"Served by the corpus itself: {', '.join(parts)}")
    lost = lost_recordings(films, site)
    if lost:
        shown = ", ".join(f"{fid} {one_line(url, MAX_SHOWN)}" for fid, url in lost[:MAX_FIDS])
        more = f" and {len(lost) - MAX_FIDS} more" if len(lost) > MAX_FIDS else ""
        report(f"Missing (not an error): {number(len(lost), 'recording')}: {shown}{more}")


def _report_few(films: int, params: Params, report: Report) -> None:
    """Report the limits of a small corpus, which are not errors of the list."""
    if line := too_few_films(films, params.split, params.variants):
        report(f"\nToo few films for `dvc repro`: {line}")
    elif line := few_test_films(films, params.split):
        report(f"\nA small corpus: about {line}")


def _report_estimate(need: Estimate, report: Report) -> None:
    if need.pages + need.posters + need.recordings == 0:
        report("\nNothing to fetch from the web.")
        return
    of = []
    if need.searches:
        of.append(number(need.searches, "search"))
    if need.playlists:
        of.append(f"{number(need.playlists, 'playlist')} of unknown length")
    recordings = f"{'about ' if need.playlists else ''}{number(need.recordings, 'recording')}"
    found_by = f" (including {' and '.join(of)})" if of else ""
    report(
        f"\nTo fetch from the web: {number(need.pages, 'page')}, {number(need.posters, 'poster')}, "
        f"{recordings}{found_by}"
    )
    report(f"About {size(need.bytes)}, mostly audio (estimated at {duration(need.audio_seconds)})")
    report(
        f"About {duration(need.seconds)} with scrape.requests_per_minute, download.video_pause_seconds "
        "and download.request_pause_seconds"
    )


def _verdict(wrong: int, asked: bool) -> str:
    found = number(wrong, "problem") if wrong else "No problems found"
    return found + ("." if asked else ", but some titles were not looked up.")
