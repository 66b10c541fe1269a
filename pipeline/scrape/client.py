"""One HTTP client for pages and posters: named, paced, bounded in time and size, patient with failures that may pass.

A failure is a `FetchError`: `status` is the word for the row, `reason` a sentence; `MAY_PASS` holds the words of those
worth another try, now and in the next run.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
import urllib3

from pipeline.scrape.agent import ADVICE, needs_contact, user_agent
from pipeline.scrape.pace import LOOPBACK, HostBusy, Pace
from pipeline.sections import Scrape

MAY_PASS = frozenset({"timeout", "unreachable", "server_error", "rate_limited", "no_contact"})
FIRST_PAUSE_SECONDS = 1.0  # before the second attempt; doubles with each further one
MAX_REDIRECTS = 10
MAX_REFUSALS = 5  # connections in a row that a host refuses, after which a run stops asking it
BODY_TIMEOUTS = 10  # a body may take this many times the time-out of one read, so that a trickle ends
BLOCK_BYTES = 1 << 16
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Fetched:
    """A body that arrived whole: unpacked, with the URL after redirects and the media type in lower case."""

    url: str
    media_type: str
    charset: str | None
    data: bytes


class FetchError(Exception):
    """Nothing usable came back."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Client:
    """Fetches one URL at a time over one session."""

    def __init__(
        self,
        scrape: Scrape,
        contact: str | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._scrape = scrape
        self._contact = contact
        self._clock = clock
        self._pace = Pace(scrape.requests_per_minute, clock, sleep)
        self._refusals: Counter[str] = Counter()
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": user_agent(contact), "Accept-Encoding": "gzip"})

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, url: str, max_bytes: int) -> Fetched:
        """Return what `url` leads to, at most `max_bytes` unpacked; raise `FetchError` after the last attempt."""
        for attempt in range(1, self._scrape.attempts + 1):
            try:
                return self._follow(url, max_bytes)
            except FetchError as error:
                if error.status not in MAY_PASS or attempt == self._scrape.attempts:
                    raise
                self._pace.postpone(_host(url), FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError("scrape.attempts is at least 1")

    def _follow(self, url: str, max_bytes: int) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            with self._ask(url) as response:
                target = self._session.get_redirect_target(response) if response.status_code in REDIRECTS else None
                if target is None:
                    self._require_ok(response, _host(url))
                    return self._read(response, url, max_bytes)
            try:
                url = urljoin(url, target)
            except ValueError:
                raise FetchError("bad_url", f"is redirected to {target!r}, which is no URL") from None
        raise FetchError("too_many_redirects", f"is redirected more than {MAX_REDIRECTS} times")

    def _ask(self, url: str) -> requests.Response:
        host = _host(url)
        if self._contact is None and needs_contact(host):
            raise FetchError("no_contact", f"{host} was not asked: {ADVICE}")
        if self._refusals[host] >= MAX_REFUSALS:
            raise FetchError("unreachable", f"{host} was not asked: it refused {MAX_REFUSALS} connections in a row")
        try:
            self._pace.wait(host)
        except HostBusy as error:
            raise FetchError("rate_limited", str(error)) from None
        try:
            response = self._session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=self._scrape.timeout_seconds,
                proxies={"no_proxy": host} if host in LOOPBACK else None,
            )
        except requests.Timeout as error:
            self._refusals[host] += isinstance(error, requests.ConnectTimeout)
            raise FetchError("timeout", f"no answer from {host} in {self._scrape.timeout_seconds:g} s") from None
        except requests.ConnectionError as error:
            cause = getattr(error.args[0], "reason", None) if error.args else None
            self._refusals[host] += isinstance(cause, urllib3.exceptions.NewConnectionError)
            raise FetchError("unreachable", f"no connection to {host}: {type(cause or error).__name__}") from None
        except (requests.RequestException, UnicodeError, ValueError) as error:
            raise FetchError("bad_url", f"cannot be asked for: {error}") from None
        del self._refusals[host]
        return response

    def _require_ok(self, response: requests.Response, host: str) -> None:
        code = response.status_code
        pause = _retry_after(response.headers.get("Retry-After", ""))
        if code != HTTPStatus.OK and pause is not None:
            self._pace.postpone(host, pause)
        reason = f"HTTP {code} {response.reason or ''}".strip()
        if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise FetchError("not_found", reason)
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise FetchError("forbidden", reason)
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            raise FetchError("rate_limited", reason)
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise FetchError("server_error", reason)
        if code != HTTPStatus.OK:
            raise FetchError("http_error", reason)

    def _read(self, response: requests.Response, url: str, max_bytes: int) -> Fetched:
        host, data = _host(url), bytearray()
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > max_bytes:
            raise FetchError("too_large", f"{length} bytes, more than the {max_bytes} allowed")
        deadline = self._clock() + BODY_TIMEOUTS * self._scrape.timeout_seconds
        try:
            while block := response.raw.read1(BLOCK_BYTES, decode_content=True):
                data += block
                if len(data) > max_bytes:
                    raise FetchError("too_large", f"more than the {max_bytes} bytes allowed")
                if self._clock() > deadline:
                    raise FetchError("timeout", f"{host} sent only {len(data)} bytes before the time was up")
        except urllib3.exceptions.ReadTimeoutError:
            raise FetchError("timeout", f"{host} fell silent after {len(data)} bytes") from None
        except urllib3.exceptions.DecodeError:
            raise FetchError("http_error", "the body cannot be unpacked") from None
        except urllib3.exceptions.HTTPError:
            raise FetchError("unreachable", f"the connection to {host} broke after {len(data)} bytes") from None
        header = Message()
        header["Content-Type"] = response.headers.get("Content-Type", "")
        media_type = header.get_content_type() if response.headers.get("Content-Type") else ""
        return Fetched(urldefrag(url).url, media_type, header.get_content_charset(), bytes(data))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise FetchError("bad_url", f"{url!r} is no URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise FetchError("bad_url", f"{url!r} is neither http nor https")
    return host


def _retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date; None when it does not."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
