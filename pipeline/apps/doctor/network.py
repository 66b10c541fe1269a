"""Check of the network: one short request to each site that the corpus needs; none if it is served on this machine."""

import time
from collections import Counter
from collections.abc import Iterator
from threading import Thread
from urllib.parse import urlsplit

from pipeline.apps.corpus.estimate import SEARCH
from pipeline.apps.doctor.report import INSTALL, Check, missing, ok, warning
from pipeline.core.errors import ParamsError
from pipeline.core.web import is_loopback, site_of
from pipeline.corpus import Film
from pipeline.corpus.section import Corpus

SECONDS = 5.0  # for all requests together, which are sent at once
SITES = 8  # at most, those with most pages and recordings first
SEARCHED = "https://www.youtube.com/"


def check_network(corpus: Corpus, films: list[Film] | None) -> Check:
    """Whether the sites of pages, posters and recordings respond; at most a warning: they may have been fetched."""
    if films is None:
        return warning("network", "not tested: the corpus does not load", "", "")
    try:
        from pipeline.scrape.agent import needs_contact, operator_contact, user_agent
    except ImportError as error:
        return missing("network", str(error), "scrape", INSTALL)
    try:
        contact = operator_contact(corpus)
    except ParamsError:
        contact = None
    needed = Counter(url for film in films for url in _sites(film))
    if not needed:
        return ok("network", "not needed: the corpus is on this machine")
    # Wikimedia is not queried without a contact, which is another check.
    sites = [url for url, _ in needed.most_common() if contact or not needs_contact(urlsplit(url).hostname or "")]
    problems = _problems(sites[:SITES], user_agent(contact))
    failed = [f"{urlsplit(url).netloc} ({problem})" for url, problem in problems.items() if problem]
    if failed:
        remedy = "check the network, the firewall and HTTPS_PROXY; fetched files are kept"
        return warning("network", f"no connection to {', '.join(failed)}", "scrape and download of these sites", remedy)
    return ok("network", ", ".join(urlsplit(url).netloc for url in problems) or "not tested: no contact is set")


def _sites(film: Film) -> Iterator[str]:
    for url in (film.wikipedia, film.image, *film.soundtrack):
        try:
            if url and SEARCH.match(url):
                yield SEARCHED
            elif url and site_of(url) and not is_loopback(url):
                yield f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/"
        except ValueError:  # on the corpus's own site, which is served on loopback
            continue


def _problems(urls: list[str], agent: str) -> dict[str, str]:
    """Return the problem with each of `urls`, or "" for any response."""
    problems = dict.fromkeys(urls, f"no response in {SECONDS:g} s")
    # Daemons, because a name may resolve to many addresses, each with a timeout of its own.
    threads = [Thread(target=_request, args=(url, agent, problems), daemon=True) for url in urls]
    end = time.monotonic() + SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(problems)


def _request(url: str, agent: str, problems: dict[str, str]) -> None:
    import requests

    try:
        requests.head(url, headers={"User-Agent": agent}, timeout=SECONDS, allow_redirects=False).close()
        problems[url] = ""
    except (requests.RequestException, ValueError) as error:
        cause = getattr(error.args[0], "reason", None) if error.args else None
        problems[url] = type(cause or error).__name__
