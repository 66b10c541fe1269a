"""`catalog check`: what is wrong with a list, and what fetching it would take, as text."""

from collections.abc import Callable
from pathlib import Path

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
from pipeline.apps.corpus.wording import columns, duration, number, plain, size
from pipeline.core.errors import CorpusError, ParamsError
from pipeline.corpus import ORIGIN, Film, load_films
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.site import site_folder
from pipeline.params import Params
from pipeline.scrape.agent import operator_contact, require_contact
from pipeline.scrape.client import Client

MAX_FIDS = 4  # shown of the films that a problem concerns

Say = Callable[[str], None]


def check(root: Path, folder: Path, params: Params, say: Say) -> int:
    """Say all that is wrong with the list in `folder`, then what is left to fetch; return 1 when anything is wrong.

    Raises `CorpusError` with every line that does not load.
    """
    films = load_films(folder, params.corpus.search)
    place = reference_layout(folder)
    say(
        f"{place or folder / 'meta.json'}: {number(len(films), 'film')}"
        + (", in the reference's layout" if place else "")
    )
    try:
        site = site_folder(folder, params.corpus.serve)
    except CorpusError as error:
        site = None
        if any(url.startswith(ORIGIN) for film in films for url in (film.wikipedia, *film.soundtrack)):
            say(str(error))
    problems = [*problems_on_paper(films), *problems_on_disk(films, site)]
    _say_problems(problems, say)
    _say_own(films, site, say)
    found, asked = _ask_wikis(films, params, say)
    _say_estimate(estimate(remaining(root, films), params.scrape, params.download), say)
    wrong = len(problems) + found
    say("All is well." if asked and not wrong else _verdict(wrong, asked))
    return 0 if asked and not wrong else 1


def _ask_wikis(films: list[Film], params: Params, say: Say) -> tuple[int, bool]:
    """Ask each wiki where the titles lead; return the number of problems, and whether all of them were asked."""
    sites = {site: articles for site, articles in articles_by_site(films).items() if site != ORIGIN}
    unclear = sum(not film.wikipedia.startswith(ORIGIN) and film.wikipedia != "" for film in films)
    unclear -= sum(len(fids) for articles in sites.values() for fids in articles.values())
    if unclear:
        say(f"{number(unclear, 'address')} not of the form SITE/wiki/Title: not looked up")
    if not sites:
        return 0, True
    try:
        contact = operator_contact(params.corpus)
        require_contact(sites, contact)
    except ParamsError as error:
        say(f"\nTitles were not looked up: {error}")
        return 0, False
    problems, redirects, asked = [], [], True
    with Client(params.scrape, contact) as client:
        for site, articles in sites.items():
            found: list[Found] = []
            try:
                found.extend(look_up(Api(site, client, params.scrape), articles))
            except ApiError as error:
                say(f"\n{number(len(articles) - len(found), 'title')} not looked up: {error}")
                asked = False
            problems += problems_of_titles(found)
            redirects += [one for one in found if one.facts.redirected and not trouble_with(one.facts)]
    _say_problems(problems, say)
    if redirects:
        say(f"\nNo harm, for scraping follows them: {number(len(redirects), 'redirect')}")
        for line in columns((one.fids[0], f"{one.title} →", one.facts.title) for one in redirects):
            say(f"  {plain(line)}")
    return len(problems), asked


def _say_problems(problems: list[Problem], say: Say) -> None:
    if not problems:
        return
    say(f"\n{number(len(problems), 'problem')}:")
    for line in columns((problem.word, _fids(problem.fids), problem.what) for problem in problems):
        say(f"  {plain(line)}")


def _fids(fids: tuple[str, ...]) -> str:
    more = len(fids) - MAX_FIDS
    return " ".join(fids[:MAX_FIDS]) + (f" and {more} more" if more > 0 else "")


def _say_own(films: list[Film], site: Path | None, say: Say) -> None:
    """Say what the corpus serves itself, and which recordings of it are not there: a film can do without one."""
    pages = sum(film.wikipedia.startswith(ORIGIN) for film in films)
    images = sum((film.image or "").startswith(ORIGIN) for film in films)
    recordings = sum(url.startswith(ORIGIN) for film in films for url in film.soundtrack)
    if pages + images + recordings == 0:
        return
    parts = [number(pages, "page"), number(images, "image"), number(recordings, "recording")]
    say(f"Served by the corpus itself: {', '.join(parts)}")
    lost = lost_recordings(films, site)
    if lost:
        shown = ", ".join(f"{fid} {plain(url)}" for fid, url in lost[:MAX_FIDS])
        more = f" and {len(lost) - MAX_FIDS} more" if len(lost) > MAX_FIDS else ""
        say(f"Of these {number(len(lost), 'recording')} are not there (a film can do without): {shown}{more}")


def _say_estimate(need: Estimate, say: Say) -> None:
    if need.pages + need.posters + need.recordings == 0:
        say("\nNothing is left to fetch from the web.")
        return
    of = []
    if need.searches:
        of.append(number(need.searches, "search"))
    if need.playlists:
        of.append(f"{number(need.playlists, 'playlist')} of unknown length")
    recordings = f"{'about ' if need.playlists else ''}{number(need.recordings, 'recording')}"
    found_by = f" ({' and '.join(of)} among them)" if of else ""
    say(
        f"\nTo fetch from the web: {number(need.pages, 'page')}, {number(need.posters, 'poster')}, "
        f"{recordings}{found_by}"
    )
    say(f"About {size(need.bytes)}, most of it sound ({duration(need.audio_seconds)}), if its length is as assumed")
    say(
        f"About {duration(need.seconds)} at scrape.requests_per_minute, download.video_pause_seconds "
        "and download.request_pause_seconds"
    )


def _verdict(wrong: int, asked: bool) -> str:
    found = number(wrong, "problem") if wrong else "No problem found"
    return found + ("." if asked else "; but not everything was looked up.")
