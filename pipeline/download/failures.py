"""What yt-dlp's errors mean: one status and a sentence each.

gone         not there any more: 404, 410, 451, private, removed, a search that finds nothing
restricted   only for some: an age, a country, members, copy protection
blocked      the site refuses us for now: 401, 403, 429, "not a bot"
live         still running or yet to begin
not_audio    a page without a recording, an empty file, or one that cannot be decoded
too_large, too_long   over download.max_bytes, download.max_seconds
truncated    shorter than it should be
unreachable  no connection, a time-out, a server's own fault (5xx)
failed       anything else
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError

LONGEST_REASON = 300  # characters
AGAIN_AT_ONCE = ("unreachable", "truncated")  # may pass within a run
AGAIN_NEXT_RUN = ("blocked", "live", "truncated", "unreachable", "failed")

BOT_CHECK = re.compile(r"not a bot|try again later|rate.limited by YouTube", re.IGNORECASE)
MEANINGS = (  # of what yt-dlp and sites write, in this order
    (BOT_CHECK, "blocked"),
    (re.compile(r"requested format is not available|only images are available", re.IGNORECASE), "failed"),
    (re.compile(r"premieres in|live event will begin|is not currently live|this live stream", re.IGNORECASE), "live"),
    (re.compile(r"confirm your age|age.restricted|members.only|join this channel|DRM.protected", re.I), "restricted"),
    (re.compile(r"(in|from) your (country|location)|geo.?restrict", re.IGNORECASE), "restricted"),
    (re.compile(r"private video|video is private|video unavailable|not available|no longer available", re.I), "gone"),
    (re.compile(r"been removed|been terminated|does not exist|account .* closed", re.IGNORECASE), "gone"),
    (re.compile(r"did not get any data blocks", re.IGNORECASE), "not_audio"),
    (re.compile(r"bytes read, .* more expected", re.IGNORECASE), "truncated"),
)
PREFIX = re.compile(r"^(\s|ERROR:|Got error:|\[[^\]]*\]( \S+:)?)*", re.IGNORECASE)
ADVICE = re.compile(r"(; please report this issue| Use --| See {1,2}https://github\.com/yt-dlp|; use --).*", re.DOTALL)


class FetchError(Exception):
    """One recording cannot be had: a row with this status and reason."""

    def __init__(self, status: str, reason: str, stops_host: bool = False) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
        self.stops_host = stops_host  # the site asks us to stop: no further request to it in this run


def meaning(error: Exception) -> FetchError:
    """Return what an error of yt-dlp or of the operating system means."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, HTTPError):
            return _of_http(cause.status)
    for cause in causes:
        if isinstance(cause, UnsupportedError):
            return FetchError("not_audio", "the address leads to a page without a recording")
        if isinstance(cause, GeoRestrictedError):
            return FetchError("restricted", "not available in this country")
        if isinstance(cause, ContentTooShortError):
            return FetchError("truncated", f"the transfer broke off at {cause.downloaded} of {cause.expected} bytes")
    text = _text(error, causes)
    for pattern, status in MEANINGS:
        if pattern.search(text):
            return FetchError(status, text, stops_host=pattern is BOT_CHECK)
    for cause in causes:
        if isinstance(cause, TransportError):  # its text holds memory addresses and ports
            return FetchError("unreachable", f"no connection, or it broke off ({type(cause.cause or cause).__name__})")
    return FetchError("failed", text)


def _of_http(status: int) -> FetchError:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    reason = f"the server answered {status} {phrase}".rstrip()
    if status in (404, 410, 451):
        return FetchError("gone", reason)
    if status in (401, 403, 429):
        return FetchError("blocked", reason, stops_host=status == 429)
    if status >= 500 or status in (408, 425):
        return FetchError("unreachable", reason)
    return FetchError("failed", reason)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that it came from, outermost first; yt-dlp keeps causes in four places."""
    queue, seen = [error], set()
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        exc_info = getattr(current, "exc_info", None) or ()
        related = (getattr(current, "cause", None), current.__cause__, current.__context__)
        queue += [item for item in chain(exc_info[1:2], related) if isinstance(item, BaseException)]


def _text(error: Exception, causes: list[BaseException]) -> str:
    extractor = next((cause for cause in causes if isinstance(cause, ExtractorError)), None)
    text = str(extractor.orig_msg if extractor else error)
    text = " ".join(ADVICE.sub("", PREFIX.sub("", text)).split())
    return text[:LONGEST_REASON] or type(error).__name__
