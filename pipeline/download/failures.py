"""The meaning of yt-dlp's errors: a status and a reason.

ok         the recording was downloaded and decodes to its full length
skipped    not wanted: longer or larger than the parameters allow, live or not begun, no audio (a page, an empty or
           undecodable file), an address that is not on the web or not public
gone       not available: 404, 410, 451, private, removed, blocked in this country, restricted to members or by age,
           copy-protected, a search without results
blocked    refused for now: 401, 403, 429, "not a bot", "try again later"
transient  temporary: no connection, a timeout, a server error (5xx), a truncated file, any unknown failure
given_up   an unknown failure in `MAX_RUNS` runs

`download.retry` retries recordings with a final status. Exceptions of yt-dlp decide first, then its messages by the
table below, from yt-dlp 2026.10.26 (November 2026). Failures that an extractor does not expect are unknown, whatever
their message.
"""

import errno
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from pipeline.core.errors import StageError
from pipeline.core.text import one_line
from pipeline.core.web import FetchError
from pipeline.download.reach import AddressRefused

LONGEST_REASON = 300  # characters
AGAIN_NEXT_RUN = ("blocked", "transient")
MAX_RUNS = 5  # runs in which a recording fails for an unknown reason before it is given up
# Requirements of a retry, stored in the row: {"max_bytes": 123} and {"max_seconds": 12.5}, the minimum of the
# parameter; {"runs": 2.0}, the number of runs with an unknown failure; and these two:
COOKIES = {"cookies": 1.0}  # a cookies file
LIVE = {"live": 0.0}  # time only
RUNS = "runs"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# Messages of sites to an outdated yt-dlp, and its own when a site has changed.
OUTDATED = (
    r"(not|n.t) available (on|in|for|with) this (app|device|client|browser|version)|latest version of youtube|"
    r"precondition check failed|page needs to be reloaded|requested format is not available|only images are available|"
    r"(signature|nsig) extraction failed|(failed|unable) to extract|no video formats found"
)
MEANINGS = (  # of messages, in this order; suspected addresses get "please sign in"
    (r"not a bot|try again later|rate.limited by|captcha|IP is likely being blocked|please sign in", "blocked", None),
    (OUTDATED, "unknown", None),
    (r"(temporarily|currently) unavailable", "transient", None),
    (r"live stream recording is not available|live event has ended", "gone", None),
    (r"premieres in|live event will begin|is not currently live|this live stream|not available yet", "skipped", LIVE),
    (r"confirm your age|age.restricted|members.only|join this channel|registered users", "gone", COOKIES),
    (r"--cookies|--username", "gone", COOKIES),  # advice of `raise_login_required`
    (r"private (video|playlist)|is private|premium members|requires payment", "gone", COOKIES),
    (r"(in|from) your (country|location|region)|geo.?restrict|DRM.protected", "gone", None),
    (r"video unavailable|video is unavailable|unviewable", "gone", None),
    (
        r"(not|n.t|no longer) available([.!,:]|$| because)",
        "gone",
        None,
    ),  # "not available on …" may depend on the client
    (r"been removed|been terminated|does not exist|no longer exists", "gone", None),
    (r"account .* closed", "gone", None),
    (r"did not get any data blocks", "skipped", None),
    (r"file:/", "skipped", None),
    (r"ffmpeg could not be found|ffmpeg is not installed", "skipped", None),
)
# Reasons of `meaning` that do not depend on the version of yt-dlp; an outdated one gets 400 and 403.
NOT_OUTDATED = re.compile(
    r"the server answered (?!400|403)|no connection|the transfer (broke off|stopped)|truncated", re.IGNORECASE
)
CUT = re.compile(r"bytes read, .* more expected", re.IGNORECASE)
PREFIX = re.compile(r"^(\s|ERROR:|Got error:|\[[^\]]*\]( \S+:)?)*", re.IGNORECASE)
ADVICE = re.compile(r"(; please report this issue| Use --| See {1,2}https://github\.com/yt-dlp|; use --).*", re.DOTALL)


class UnknownFailure(FetchError):
    """An unknown failure: temporary, permanent, or due to an outdated yt-dlp."""

    def __init__(self, reason: str) -> None:
        super().__init__("transient", reason)


def meaning(error: Exception) -> FetchError:
    """Return the meaning of an error of yt-dlp or the operating system; raise `StageError` if it cannot write."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
            raise disk_error(cause) from None
    for cause in causes:
        if isinstance(cause, AddressRefused):
            return FetchError("skipped", one_line(str(cause.msg), LONGEST_REASON))
        if isinstance(cause, HTTPError):
            return _of_http(cause)
    for cause in causes:
        if isinstance(cause, UnsupportedError):
            return FetchError("skipped", "the URL is a page without a recording")
        if isinstance(cause, UserNotLive):
            return FetchError("skipped", "a live stream that is not running", LIVE)
        if isinstance(cause, GeoRestrictedError):
            return FetchError("gone", "not available in this country")
        if isinstance(cause, ContentTooShortError):
            return FetchError("transient", f"the transfer stopped at {cause.downloaded} of {cause.expected} bytes")
    extractor = next((cause for cause in causes if isinstance(cause, ExtractorError)), None)
    said = str(extractor.orig_msg if extractor else error)
    text = one_line(ADVICE.sub("", PREFIX.sub("", said)), LONGEST_REASON) or type(error).__name__
    for pattern, status, needs in MEANINGS if extractor is None or extractor.expected else ():
        if re.search(pattern, said, re.IGNORECASE):
            return UnknownFailure(text) if status == "unknown" else FetchError(status, text, needs)
    for cause in causes:
        if isinstance(cause, TransportError) and not CUT.search(text):  # its text has memory addresses and ports
            return FetchError("transient", f"no connection, or it was lost ({type(cause.cause or cause).__name__})")
    return UnknownFailure(text)


def may_be_outdated(reason: str) -> bool:
    """Return whether an outdated yt-dlp may be the cause of many failures with this reason."""
    if NOT_OUTDATED.match(reason):
        return False
    known = next((row for row in MEANINGS if re.search(row[0], reason, re.IGNORECASE)), None)
    return known is None or known[1] == "unknown" or "available" in reason.lower()


def disk_error(error: OSError) -> StageError:
    """Return the error that ends the stage, because no further recording can be saved."""
    return StageError(
        f"download: cannot write ({error.strerror}): fix the cause and run `dvc repro download` to resume"
    )


def _of_http(error: HTTPError) -> FetchError:
    code = error.status
    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""
    reason = f"the server answered {code} {phrase}".rstrip()
    if code in (404, 410, 451):
        return FetchError("gone", reason)
    if code in (401, 403, 429):
        asked = error.response.headers.get("Retry-After")
        return FetchError("blocked", reason + (f", Retry-After: {one_line(asked, 40)}" if asked else ""))
    return FetchError("transient", reason) if code >= 500 else UnknownFailure(reason)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, outermost first; yt-dlp keeps causes in four attributes."""
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
