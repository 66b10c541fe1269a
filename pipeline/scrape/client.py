"""The HTTP client for pages and posters: identified, rate-limited, bounded in time and size, with retries.

It requests one URL at a time: never two media requests at once (Wikimedia allows two). It stops permanently, with the
reason in `stopped`, when a host returns 403, requests a longer pause than `scrape.max_wait_seconds`, or fails for
several URLs in a row; later URLs are `not_asked`.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from urllib.parse import urldefrag, urlsplit

import requests

from pipeline.core.text import one_line
from pipeline.core.web import FetchError, Pace, is_loopback, site_of
from pipeline.scrape.agent import ADVICE, needs_contact, user_agent
from pipeline.scrape.answer import WORDS, Fetched, failure, read, redirect_target, wished_pause
from pipeline.scrape.hosts import same_site
from pipeline.scrape.section import Scrape

FIRST_PAUSE_SECONDS = 1.0  # before the second attempt; doubled before each further one
MAX_PAUSE_SECONDS = 300.0
MAX_REDIRECTS = 10
MAX_FAILURES = 5  # consecutive URLs of a host that failed in all attempts; then it is considered down
BODY_TIMEOUTS = 10  # time limit of a body in units of the read timeout, against slow streams

PASSING = frozenset({"timeout", "unreachable", "server_error", "rate_limited"})  # retried, now and in the next run

log = logging.getLogger(__name__)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: otherwise requests reads a redirect's body without a limit."""


class Client:
    """Fetches one URL at a time in one session without cookies; `jitter` returns numbers from 0 to 1."""

    def __init__(
        self,
        scrape: Scrape,
        contact: str | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.stopped: str | None = None
        self._scrape = scrape
        self._contact = contact
        self._clock = clock
        self._jitter = jitter
        self._pace = Pace({"request": 60.0 / scrape.requests_per_minute}, clock, sleep)
        self._failures: Counter[str] = Counter()
        self._session = _Session()
        self._session.headers.update({"User-Agent": user_agent(contact), "Accept-Encoding": "gzip"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, url: str, max_bytes: int, allows: Callable[[str], bool] | None = None) -> Fetched:
        """Return the body at `url`, at most `max_bytes` decompressed; raise `FetchError` after the last attempt.

        `allows` returns whether a redirect to a URL is followed; None: within the same site.
        """
        fetched = self.get_if_changed(url, max_bytes, {}, allows)
        assert fetched is not None, "nothing is known"
        return fetched

    def get_if_changed(
        self, url: str, max_bytes: int, known: Mapping[str, str], allows: Callable[[str], bool] | None = None
    ) -> Fetched | None:
        """Return the same as `get`, or None if it has not changed since the host sent the validators `known`."""
        allows = allows or partial(same_site, url)
        site = _site(url)
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, self._scrape.attempts + 1):
            try:
                fetched = self._follow(url, max_bytes, allows, known)
            except FetchError as error:
                if error.status not in PASSING or self.stopped:
                    del self._failures[site]
                    raise
                self._pace.postpone(url, min(pause * (1.0 + self._jitter()), self._scrape.max_wait_seconds))
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
                if attempt == self._scrape.attempts:
                    self._count_failure(url, error)
                    raise
            else:
                del self._failures[site]
                return fetched
        raise AssertionError("scrape.attempts is at least 1")

    def _follow(
        self, url: str, max_bytes: int, allows: Callable[[str], bool], known: Mapping[str, str]
    ) -> Fetched | None:
        passed: list[str] = []
        try:
            while len(passed) <= MAX_REDIRECTS:
                with self._ask(url, known) as response:
                    target = redirect_target(response, url)
                    self._respect_retry_after(response, url)
                    if target is None:
                        return self._take(response, url, tuple(passed), max_bytes, known)
                passed.append(url)
                url = urldefrag(target).url
                if not allows(url):
                    where = one_line(url, WORDS)
                    raise FetchError("bad_redirect", f"is redirected to {where}, which is not allowed")
                if url in passed:
                    raise FetchError(
                        "too_many_redirects", f"is redirected in a circle, to {one_line(url, WORDS)} again"
                    )
            raise FetchError("too_many_redirects", f"is redirected more than {MAX_REDIRECTS} times")
        except FetchError as error:
            error.redirects = tuple(passed)
            raise

    def _ask(self, url: str, known: Mapping[str, str]) -> requests.Response:
        site, host = _site(url), urlsplit(url).hostname or ""
        if self.stopped:
            raise FetchError("not_asked", f"the run stopped: {self.stopped}")
        if self._contact is None and needs_contact(host):
            raise FetchError("no_contact", f"no request to {host}: {ADVICE}")
        self._pace.wait("request", url)
        try:
            return self._session.get(
                url,
                headers=dict(known),
                stream=True,
                allow_redirects=False,
                timeout=self._scrape.timeout_seconds,
                proxies={"no_proxy": host} if is_loopback(url) else None,
            )
        except requests.Timeout:
            raise FetchError("timeout", f"no answer from {site} in {self._scrape.timeout_seconds:g} s") from None
        except requests.ConnectionError as error:
            cause = getattr(error.args[0], "reason", None) if error.args else None
            raise FetchError("unreachable", f"no connection to {site}: {type(cause or error).__name__}") from None
        except (requests.RequestException, ValueError) as error:
            raise FetchError("bad_url", f"cannot be requested: {one_line(str(error), WORDS)}") from None

    def _respect_retry_after(self, response: requests.Response, url: str) -> None:
        """Pause for the host as requested, or stop if the pause is too long."""
        pause = wished_pause(response)
        if pause is None:
            return
        limit = self._scrape.max_wait_seconds
        if pause > limit:
            wish = f"{_site(url)} requests a pause of {pause:g} s, more than scrape.max_wait_seconds ({limit:g})"
            self._stop(wish)
            raise FetchError("rate_limited", f"HTTP {response.status_code}: {wish}")
        self._pace.postpone(url, pause)

    def _take(
        self, response: requests.Response, url: str, passed: tuple[str, ...], max_bytes: int, known: Mapping[str, str]
    ) -> Fetched | None:
        if known and response.status_code == HTTPStatus.NOT_MODIFIED:
            return None
        if error := failure(response):
            if error.status == "forbidden":
                self._stop(f"{_site(url)} returned {error.reason}")
            raise error
        seconds = BODY_TIMEOUTS * self._scrape.timeout_seconds
        return read(response, url, passed, max_bytes, seconds, self._clock)

    def _count_failure(self, url: str, error: FetchError) -> None:
        site = _site(url)
        self._failures[site] += 1
        if self._failures[site] == MAX_FAILURES and not is_loopback(url):
            self._stop(f"{site} failed {MAX_FAILURES} times in a row, last: {error.reason}")

    def _stop(self, reason: str) -> None:
        self.stopped = reason
        log.warning("stopped: %s", reason)


def _site(url: str) -> str:
    try:
        return site_of(url)
    except ValueError as error:
        raise FetchError("bad_url", f"{one_line(url, WORDS)!r} cannot be requested: {error}") from None
