"""What yt-dlp's errors mean: one status and a sentence each.

ok         the recording is here and decodes to its length
skipped    not wanted: longer or larger than the parameters allow, live or yet to begin, no audio (a page, an empty
           file, one that cannot be decoded), an address that leads off the web
gone       not to be had: 404, 410, 451, private, removed, blocked in this country, for members or an age only, copy
           protection, a search that finds nothing
blocked    the site refuses us for now: 401, 403, 429, "not a bot", "try again later"
transient  may pass: no connection, a time-out, a server's own fault (5xx), a truncated file, anything unknown
"""

import errno
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError

from pipeline.core.errors import StageError
from pipeline.core.text import one_line
from pipeline.core.web import FetchError

LONGEST_REASON = 300  # characters
AGAIN_NEXT_RUN = ("blocked", "transient")
# What a failure would need to be asked again, as the row keeps it: {"max_bytes": 123} and {"max_seconds": 12.5}, the
# least that the parameter must be; these two:
COOKIES = {"cookies": 1.0}  # some file
LIVE = {"live": 0.0}  # nothing but time
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

MEANINGS = (  # of what yt-dlp and sites write, in this order; "please sign in" is said to addresses out of favour
    (r"not a bot|try again later|rate.limited by|captcha|IP is likely being blocked|please sign in", "blocked", None),
    (r"requested format is not available|only images are available", "transient", None),
    (r"live stream recording is not available|live event has ended", "gone", None),
    (r"premieres in|live event will begin|is not currently live|this live stream", "skipped", LIVE),
    (r"confirm your age|age.restricted|members.only|join this channel|registered users", "gone", COOKIES),
    (r"private (video|playlist)|is private|premium members|requires payment", "gone", COOKIES),
    (r"(in|from) your (country|location)|geo.?restrict|DRM.protected", "gone", None),
    (r"video unavailable|not available|no longer available|unviewable", "gone", None),
    (r"been removed|been terminated|does not exist|account .* closed", "gone", None),
    (r"did not get any data blocks", "skipped", None),
    (r"file:/", "skipped", None),
    (r"ffmpeg could not be found|ffmpeg is not installed", "skipped", None),
)
CUT = re.compile(r"bytes read, .* more expected", re.IGNORECASE)
PREFIX = re.compile(r"^(\s|ERROR:|Got error:|\[[^\]]*\]( \S+:)?)*", re.IGNORECASE)
ADVICE = re.compile(r"(; please report this issue| Use --| See {1,2}https://github\.com/yt-dlp|; use --).*", re.DOTALL)


def meaning(error: Exception) -> FetchError:
    """Return what an error of yt-dlp or of the operating system means; raise `StageError` when the disk is full."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
            raise disk_error(cause) from None
    for cause in causes:
        if isinstance(cause, HTTPError):
            return _of_http(cause)
    for cause in causes:
        if isinstance(cause, UnsupportedError):
            return FetchError("skipped", "the address leads to a page without a recording")
        if isinstance(cause, GeoRestrictedError):
            return FetchError("gone", "not available in this country")
        if isinstance(cause, ContentTooShortError):
            return FetchError("transient", f"the transfer broke off at {cause.downloaded} of {cause.expected} bytes")
    text = _text(error, causes)
    for pattern, status, needs in MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return FetchError(status, text, needs)
    for cause in causes:
        if isinstance(cause, TransportError) and not CUT.search(text):  # its text holds memory addresses and ports
            return FetchError("transient", f"no connection, or it broke off ({type(cause.cause or cause).__name__})")
    return FetchError("transient", text)


def disk_error(error: OSError) -> StageError:
    """Return the error that ends the stage, since no further recording could be saved either."""
    return StageError(
        f"download: nothing more can be written ({error.strerror}): make room and run `dvc repro download` again; "
        "what is here is kept"
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
    return FetchError("transient", reason)


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
    return one_line(ADVICE.sub("", PREFIX.sub("", text)), LONGEST_REASON) or type(error).__name__
