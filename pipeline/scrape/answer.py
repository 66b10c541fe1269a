"""Interpretation of a response: a page or a poster, a failure, or a requested pause.

Text from a host is shortened and made printable before it becomes part of a reason.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urldefrag, urljoin

import requests

from pipeline.core.text import excerpt, one_line
from pipeline.core.web import FetchError
from pipeline.media.pages import page_text
from pipeline.scrape.body import first_piece, read_body

EXCERPT_BYTES = 1 << 14  # of the body of a 403, read for an excerpt
WORDS = 200  # characters of a host's text in a reason
HEADER_CHARACTERS = 200  # longer validators and charsets are not kept
REDIRECTS = (301, 302, 303, 307, 308)
CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Fetched:
    """A complete, decompressed body; `url` is its final URL, `redirects` the URLs before it.

    `media_type` and `charset` are in lower case. Missing headers are "".
    """

    url: str
    redirects: tuple[str, ...]
    media_type: str
    charset: str
    etag: str
    last_modified: str
    data: bytes


def redirect_target(response: requests.Response, url: str) -> str | None:
    """Return the escaped target of a redirect of `url`, None without one; raise `FetchError` for an invalid target."""
    location = response.headers.get("Location")
    if response.status_code not in REDIRECTS or location is None:
        return None
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")  # headers arrive as Latin-1
    try:
        return requests.utils.requote_uri(urljoin(url, location.strip()))
    except (ValueError, requests.RequestException):
        raise FetchError("bad_redirect", f"is redirected to {one_line(location, WORDS)!r}, not a URL") from None


def wished_pause(response: requests.Response) -> float | None:
    """Return the pause in seconds that a busy host, or a redirect, requests; None if there is none."""
    code = response.status_code
    busy = code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in REDIRECTS
    return _seconds(response.headers.get("Retry-After", "").strip()) if busy else None


def failure(response: requests.Response) -> FetchError | None:
    """Return the error for a status other than 200; None for 200."""
    code = response.status_code
    reason = one_line(f"HTTP {code} {response.reason or ''}", WORDS)
    if code == HTTPStatus.OK:
        return None
    if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return FetchError("not_found", reason)
    if code == HTTPStatus.FORBIDDEN:
        words = excerpt(page_text(first_piece(response)[:EXCERPT_BYTES], ""), WORDS)
        return FetchError("forbidden", f"{reason}: {words}" if words else reason)
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return FetchError("rate_limited", reason)
    if code == HTTPStatus.REQUEST_TIMEOUT:
        return FetchError("timeout", reason)
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FetchError("server_error", reason)
    return FetchError("http_error", reason)


def read(
    response: requests.Response,
    url: str,
    redirects: tuple[str, ...],
    max_bytes: int,
    seconds: float,
    clock: Callable[[], float],
) -> Fetched:
    """Return the body of a 200, at most `max_bytes` compressed or decompressed, in `seconds`; raise `FetchError`."""
    data, headers = read_body(response, max_bytes, seconds, clock), response.headers
    kind = headers.get("Content-Type", "")
    charset = CHARSET.search(kind)
    return Fetched(
        url=urldefrag(url).url,
        redirects=redirects,
        media_type=one_line(kind.partition(";")[0], HEADER_CHARACTERS).lower(),
        charset=_kept(charset[1].lower()) if charset else "",
        etag=_kept(headers.get("ETag", "")),
        last_modified=_kept(headers.get("Last-Modified", "")),
        data=data,
    )


def _kept(value: str) -> str:
    """Return a header's value if it can be stored and sent back, else ""."""
    value = value.strip()
    return value if value.isascii() and value.isprintable() and len(value) <= HEADER_CHARACTERS else ""


def _seconds(retry_after: str) -> float | None:
    """Return the seconds of a Retry-After header, given as seconds or a date; None if it is neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
