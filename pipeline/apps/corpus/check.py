"""Problems of a list: duplicate films, titles without a film's article, and missing files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pipeline.apps.corpus.api import Api, Facts
from pipeline.apps.corpus.article import Article, NotAnArticleError, article_of, why_no_film
from pipeline.apps.corpus.kind import trouble_with
from pipeline.corpus.film import ORIGIN, Film
from pipeline.corpus.site import served_file


@dataclass(frozen=True)
class Problem:
    """A kind of problem, the films that it concerns, and a sentence."""

    word: str
    fids: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Found:
    """The films with a title, the title, and its page."""

    fids: tuple[str, ...]
    title: str
    facts: Facts


def articles_by_site(films: Iterable[Film]) -> dict[str, dict[Article, tuple[str, ...]]]:
    """Return, for each site, its articles and the ids of their films; other URLs are left out."""
    found: dict[str, dict[Article, tuple[str, ...]]] = {}
    for film in films:
        try:
            article = article_of(film.wikipedia)
        except NotAnArticleError:
            continue
        of_site = found.setdefault(article.site, {})
        of_site[article] = (*of_site.get(article, ()), film.fid)
    return found


def problems_on_paper(films: list[Film]) -> list[Problem]:
    """Return the problems that need no requests: duplicate articles, pages that are not articles."""
    problems = []
    for articles in articles_by_site(films).values():
        for article, fids in articles.items():
            if len(fids) > 1:
                problems.append(Problem("duplicate", fids, f"have the same article: {article.title}"))
            if reason := why_no_film(article.title):
                problems.append(Problem("not_an_article", fids, f"{article.title} is {reason}"))
    return problems


def problems_on_disk(films: Iterable[Film], site: Path | None) -> list[Problem]:
    """Return the pages and images missing from the corpus's site; `site` is None if it serves nothing."""
    problems = []
    for film in films:
        for url in filter(None, (film.wikipedia, film.image)):
            if not url.startswith(ORIGIN):
                continue
            if site is None:
                problems.append(Problem("not_served", (film.fid,), f"{url}: corpus.serve in params.yaml is null"))
            elif not served_file(site, url.removeprefix(ORIGIN)).is_file():
                problems.append(Problem("no_file", (film.fid,), f"{url}: the corpus's site has no such file"))
    return problems


def lost_recordings(films: Iterable[Film], site: Path | None) -> list[tuple[str, str]]:
    """Return id and URL of the recordings missing from the corpus's site."""
    served = [(film.fid, url) for film in films for url in film.soundtrack if url.startswith(ORIGIN)]
    return [(fid, url) for fid, url in served if not (site and served_file(site, url.removeprefix(ORIGIN)).is_file())]


def look_up(api: Api, articles: dict[Article, tuple[str, ...]]) -> Iterator[Found]:
    """Yield the pages of the articles of one wiki, as answers arrive; raise `ApiError`.

    Pages that `problems_on_paper` reports are not requested.
    """
    fids_of = {article.title: fids for article, fids in articles.items() if not why_no_film(article.title)}
    with tqdm(total=len(fids_of), desc=api.site, unit="title", disable=None) as progress:
        for batch in api.facts(fids_of):
            yield from (Found(fids_of[title], title, facts) for title, facts in batch.items())
            progress.update(len(batch))


def problems_of_titles(found: Iterable[Found]) -> list[Problem]:
    """Return the titles of one wiki that lead to no film's article, or to the same article."""
    problems: list[Problem] = []
    reached: dict[str, tuple[str, ...]] = {}
    for one in found:
        if trouble := trouble_with(one.facts):
            problems.append(Problem(trouble[0], one.fids, f"{one.title}: {trouble[1]}"))
            continue
        if one.facts.title in reached:
            both = (*reached[one.facts.title], *one.fids)
            problems.append(Problem("duplicate", both, f"lead to the same article: {one.facts.title}"))
        reached[one.facts.title] = (*reached.get(one.facts.title, ()), *one.fids)
    return problems
