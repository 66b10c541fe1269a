"""The language of a page: English or another.

The language declared for the text takes precedence over that of the page's interface (`?uselang=fr`), of the page and
of the host. Simple English is English.
"""

import re
from urllib.parse import urlsplit

from lxml.etree import XPath

from pipeline.media.pages import Element
from pipeline.parse.tree import having

TEXT = XPath(f"//*[@id='mw-content-text' or {having('mw-parser-output')}][@lang]")
PRIMARY = re.compile(r"\s*([A-Za-z]{2,3})(?:[-_][\w-]*)?\s*", re.ASCII)
WIKIPEDIA = re.compile(r"([a-z][a-z-]*)(?:\.m)?\.wikipedia\.org")
ENGLISH = frozenset({"en", "eng"})
NOT_STATED = frozenset({"mul", "und", "zxx"})  # ISO 639: several, undetermined, none
NO_LANGUAGES = frozenset({"en", "simple", "www", "m", "test"})  # hosts


def other_language(tree: Element, url: str) -> str:
    """Return a clause with the evidence that a page from `url` is not in English; "" without evidence."""
    for element in (*TEXT(tree)[:1], *tree.iter("body")):
        if code := _code(element):
            return "" if code in ENGLISH else f"its text is in the language `{code}`"
    code = _code(tree)
    if code and code not in ENGLISH:
        return f"the page is in the language `{code}`"
    host = _host(url)
    wiki = WIKIPEDIA.fullmatch(host)
    return f"it comes from {host}" if wiki and wiki[1] not in NO_LANGUAGES else ""


def _code(element: Element) -> str:
    """Return the primary subtag in lower case; "" if the element declares no language."""
    found = PRIMARY.fullmatch(element.get("lang") or element.get("xml:lang") or "")
    code = found[1].lower() if found else ""
    return "" if code in NOT_STATED else code


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
