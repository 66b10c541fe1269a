"""An article's URL in canonical form, to recognise two spellings of the same article.

`http://en.m.wikipedia.org/wiki/metropolis%20(1927_film)?x=1#Plot` is the article `Metropolis (1927 film)` of
`https://en.wikipedia.org`. Makes no requests.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from pipeline.corpus.entry import is_web, short
from pipeline.corpus.film import ORIGIN
from pipeline.corpus.title import article_address

MOBILE = re.compile(r"([a-z-]+)\.m\.(wiki[a-z]+\.org)")
NOT_IN_TITLES = re.compile(r"[#<>\[\]|{}\x00-\x1f\x7f-\x9f\ufffd]|~~~")  # MediaWiki's rule, and non-UTF-8 bytes
DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")
MAX_TITLE_BYTES = 255  # MediaWiki's
SAFE = "/:;@!$*(),~'"  # not escaped in an article's URL
SPACES = re.compile(  # namespaces other than articles; every wiki accepts the English names
    r"(?:talk|user|wikipedia|wp|project|file|image|mediawiki|template|help|category|portal|draft|timedtext|module|book|"
    r"special|media)(?: talk)?",
    re.IGNORECASE,
)
LIST = re.compile(r"(lists?|index|outline) of ", re.IGNORECASE)


class NotAnArticleError(Exception):
    """A URL is not an article's; the message has the reason."""


@dataclass(frozen=True)
class Article:
    """`site` is e.g. `https://en.wikipedia.org`, or `{origin}`; `title` has spaces and begins with a capital."""

    site: str
    title: str

    @property
    def url(self) -> str:
        """The URL in canonical form."""
        return f"{self.site}/wiki/{quote(self.title.replace(' ', '_'), safe=SAFE)}"


def article_of(url: str) -> Article:
    """Return the article at `url`; raise `NotAnArticleError` if it is not of the form SITE/wiki/Title."""
    if not is_web(url):
        raise NotAnArticleError("not a URL that begins with https:// or http://")
    url = article_address(url)
    if url.startswith(ORIGIN):
        site, parts = ORIGIN, urlsplit(url.removeprefix(ORIGIN))
    else:
        parts = urlsplit(url)
        site = _site(parts.scheme, (parts.hostname or "").lower(), parts.port)
    if not parts.path.startswith("/wiki/"):
        raise NotAnArticleError("not the URL of an article, such as https://en.wikipedia.org/wiki/Title")
    return Article(site, title_of(unquote(parts.path.removeprefix("/wiki/"))))


def title_of(text: str) -> str:
    """Return a title as MediaWiki writes it; raise `NotAnArticleError` if it is not valid."""
    title = unicodedata.normalize("NFC", " ".join(text.replace("_", " ").split()))
    if found := NOT_IN_TITLES.search(title):
        raise NotAnArticleError(f"a title cannot contain {short(found[0])}")
    if not title or title.startswith(":") or DOTS.search(title) or not _is_utf8(title):
        raise NotAnArticleError(f"{short(title)} is not a valid title")
    if len(title.encode()) > MAX_TITLE_BYTES:
        raise NotAnArticleError(f"a title has at most {MAX_TITLE_BYTES} bytes")
    capital = title[0].upper()
    return capital + title[1:] if len(capital) == 1 else title


def why_no_film(title: str) -> str | None:
    """Return why an article of this title is not about one film, judging by the title; None if it may be."""
    space, colon, _ = title.partition(":")
    if colon and SPACES.fullmatch(space):
        return f"a page of {space}:, not an article"
    if LIST.match(title):
        return "a list, not one film"
    if title.lower().endswith("(disambiguation)"):
        return "a disambiguation page: use the film's own article"
    return None


def _site(scheme: str, host: str, port: int | None) -> str:
    if mobile := MOBILE.fullmatch(host):
        host = f"{mobile[1]}.{mobile[2]}"
    if re.fullmatch(r".*\.wiki[a-z]+\.org", host):
        scheme, port = "https", None
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + (f":{port}" if port else "")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
