"""Requests to a wiki's `api.php?action=query`: the pages of titles, and the members of a category.

Titles are sent in batches of 50, the API's limit, and of a length that servers accept; one request at a time through
the polite client, with `maxlag`, to spare a wiki under load. See https://www.mediawiki.org/wiki/API:Query (normalized,
redirects), API:Continue (batchcomplete) and Manual:Maxlag_parameter.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

from pipeline.apps.corpus.answer import ApiAnswer, Page, Query, ShapeError, read_answer
from pipeline.core.text import one_line
from pipeline.core.web import FetchError
from pipeline.scrape.client import Client
from pipeline.scrape.hosts import same_site
from pipeline.scrape.section import Scrape

BATCH = 50  # titles per request, the API's limit
MAX_TITLES_LENGTH = 6000  # characters of them in the URL; Wikimedia accepts URLs of 8,192
MAX_ANSWER_BYTES = 10_000_000  # 50 pages with their categories have some 100,000
MAX_ANSWERS = 500  # to one query: a limit for endless answers
MAX_LAG_SECONDS = 5  # of the database's replicas: recommended by Wikimedia
PAUSE_SECONDS = 5.0  # before a request is repeated, at least
WAIT_AND_ASK_AGAIN = ("maxlag", "ratelimited", "readonly")
PROPERTIES = {
    "prop": "categories|info|pageprops",
    "clshow": "!hidden",
    "cllimit": "max",
    "ppprop": "disambiguation",
    "redirects": "1",
}


class ApiError(Exception):
    """A request to a wiki failed; the message names the wiki and the reason."""


@dataclass(frozen=True)
class Facts:
    """A wiki's data on a page. `redirected` and `section` describe how a title led there."""

    title: str
    namespace: int = 0
    categories: tuple[str, ...] = ()
    disambiguation: bool = False
    missing: bool = False
    invalid: str = ""  # the reason
    elsewhere: bool = False  # the title belongs to another wiki
    redirected: bool = False
    section: str = ""


class Api:
    """The API of one wiki, `site`, e.g. `https://en.wikipedia.org`."""

    def __init__(self, site: str, client: Client, scrape: Scrape, sleep: Callable[[float], None] = time.sleep) -> None:
        self.site = site
        self._client = client
        self._scrape = scrape
        self._sleep = sleep

    def facts(self, titles: Iterable[str]) -> Iterator[dict[str, Facts]]:
        """Yield, for one batch of `titles` at a time, the page of each; raise `ApiError`."""
        for batch in batches(titles):
            query = Query()
            for answer in self._answers({"titles": "|".join(batch)} | PROPERTIES):
                query = _joined(query, answer.query)
            pages = {page.title: page for page in _merged(query.pages)}
            yield {title: _facts_of(title, query, pages) for title in batch}

    def members(self, category: str) -> Iterator[list[Facts]]:
        """Yield the articles of `category`, redirects resolved, in batches sorted by title; raise `ApiError`."""
        members = {"gcmtitle": category, "gcmnamespace": "0", "gcmtype": "page", "gcmlimit": str(BATCH)}
        query = Query()
        for answer in self._answers({"generator": "categorymembers"} | members | PROPERTIES):
            query = _joined(query, answer.query)
            if answer.batchcomplete or not answer.going_on:
                yield sorted(map(_facts, _merged(query.pages)), key=lambda facts: facts.title)
                query = Query()

    def category(self, name: str) -> Page:
        """Return the page of a category: `missing`, `invalid`, `categoryinfo`; raise `ApiError`."""
        for answer in self._answers({"titles": name, "prop": "categoryinfo"}):
            for page in answer.query.pages:
                return page
        raise ApiError(f"{self.site} has no data on {name}")

    def _answers(self, question: dict[str, str]) -> Iterator[ApiAnswer]:
        going_on: dict[str, str | int] = {}
        for _ in range(MAX_ANSWERS):
            answer = self._ask(question | {name: str(value) for name, value in going_on.items()})
            yield answer
            if not answer.going_on:
                return
            if answer.going_on == going_on:
                break
            going_on = answer.going_on
        raise ApiError(f"{self.site}: one query has more than {MAX_ANSWERS} answers, or the same one again")

    def _ask(self, question: dict[str, str]) -> ApiAnswer:
        fixed = {"action": "query", "format": "json", "formatversion": "2", "maxlag": str(MAX_LAG_SECONDS)}
        url = f"{self.site}/w/api.php?{urlencode(fixed | question, quote_via=quote)}"
        for attempt in range(1, self._scrape.attempts + 1):
            try:
                fetched = self._client.get(url, MAX_ANSWER_BYTES, partial(same_site, url))
                answer = read_answer(fetched.data if fetched else b"")
            except FetchError as error:
                raise ApiError(f"{self.site}/w/api.php: {error.status}: {error.reason}") from None
            except ShapeError as error:
                raise ApiError(f"{self.site}/w/api.php is not the API of a wiki ({error})") from None
            if answer.error is None:
                return answer
            if answer.error.code not in WAIT_AND_ASK_AGAIN or attempt == self._scrape.attempts:
                info = one_line(answer.error.info, 200)
                raise ApiError(f"{self.site}/w/api.php refused the request ({answer.error.code[:40]!r}): {info}")
            pause = max(PAUSE_SECONDS * 2 ** (attempt - 1), answer.error.lag or 0.0)
            self._sleep(min(pause, self._scrape.max_wait_seconds))
        raise AssertionError("scrape.attempts is at least 1")


def batches(titles: Iterable[str]) -> Iterator[list[str]]:
    """Yield `titles` in batches of at most 50 that fit into one URL."""
    batch: list[str] = []
    length = 0
    for title in titles:
        own = len(quote("|" + title, safe=""))
        if batch and (len(batch) == BATCH or length + own > MAX_TITLES_LENGTH):
            yield batch
            batch, length = [], 0
        batch.append(title)
        length += own
    if batch:
        yield batch


def _joined(first: Query, second: Query) -> Query:
    """Return two parts of one answer joined."""
    return Query(
        pages=[*first.pages, *second.pages],
        normalized=[*first.normalized, *second.normalized],
        redirects=[*first.redirects, *second.redirects],
        interwiki=[*first.interwiki, *second.interwiki],
    )


def _merged(pages: Iterable[Page]) -> list[Page]:
    """Return each page once: the parts of an answer repeat it with different categories."""
    by_title: dict[str, Page] = {}
    for page in pages:
        known = by_title.get(page.title)
        if known:
            both = {"categories": [*known.categories, *page.categories], "pageprops": known.pageprops or page.pageprops}
            page = page.model_copy(update=both)
        by_title[page.title] = page
    return list(by_title.values())


def _facts(page: Page) -> Facts:
    names = (category.title.partition(":")[2] for category in page.categories)
    return Facts(
        title=page.title,
        namespace=page.ns,
        categories=tuple(dict.fromkeys(names)),
        disambiguation="disambiguation" in page.pageprops,
        missing=page.missing,
        invalid=(page.invalidreason or "not a title") if page.invalid else "",
    )


def _facts_of(title: str, query: Query, pages: dict[str, Page]) -> Facts:
    """Return the page of `title`: normalised, then along its redirects, each hop of which the wiki lists."""
    if any(title == elsewhere.title for elsewhere in query.interwiki):
        return Facts(title, elsewhere=True)
    reached = next((move.target for move in query.normalized if move.source == title), title)
    hops = {move.source: move for move in query.redirects}
    start, section = reached, ""
    while reached in hops:
        hop = hops.pop(reached)
        reached, section = hop.target, hop.tofragment
    if reached not in pages:
        return Facts(reached, invalid="the wiki has no data on it (circular redirect?)")
    return replace(_facts(pages[reached]), redirected=reached != start, section=section)
