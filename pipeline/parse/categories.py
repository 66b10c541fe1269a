"""The categories of an article: those that a reader sees, and which of them speak of the article, not of its topic."""

import json
import re
from itertools import islice
from urllib.parse import unquote

from lxml.etree import XPath

from pipeline.corpus.title import collapsed
from pipeline.media.pages import Element
from pipeline.parse.tree import text_of

MAINTENANCE = re.compile(
    "|".join(
        (
            r"(?:Articles|Pages) (?:.* )?(?:with|using|contain|containing|needing|lacking|that|to|having|in)\b.*",
            r"All (?:article|disambiguation|set index|stub|pages|NPOV|orphaned|accuracy)\b.*|All articles\b.*",
            r"(?:All )?(?:Wikipedia|Wikidata) .*|Article Feedback .*|(?:\w+-)?[Pp]rotected pages\b.*",
            r"Use (?:[A-Z][\w-]+ English|dmy|mdy|ymd|list-defined|shortened)\b.*|EngvarB\b.*|AC with \d+ elements",
            r"(?:Short description|Template film date|CS1|Webarchive|Harv and|Film articles using|Portal templates).*",
            r"(?:Official website|IMDb|Rotten Tomatoes|Commons|AFI|AllMovie|TCMDb|Internet \w+ Database)\b.*"
            r" (?:Wikidata|template|ID|title)\b.*",
            r"(?:Former |Delisted )?(?:[Gg]ood|[Ff]eatured) articles\b.*|(?:Interlanguage|Lang and).* template .*",
            r".* from (?:January|February|March|April|May|June|July|August|September|October|November|December) \d{4}",
            r"(?:.* )?[Ss]tubs",
        )
    )
)
NORMAL = XPath("//div[@id='mw-normal-catlinks']")
ALL = XPath("//div[@id='catlinks']")
HIDDEN = "mw-hidden-catlinks"
NAMED = XPath("//link[contains(concat(' ', @rel, ' '), ' mw:PageProp/Category ')][@href]")
MOST = 1000  # links that are read; articles have up to 150
LISTED = re.compile(r'"wgCategories"\s*:\s*(?=\[)')


def visible_categories(tree: Element) -> list[str]:
    """Return the categories that a reader sees, in page order.

    Where the page shows none of them: those that its script or, on Parsoid's pages, its links name. Neither says which
    are hidden, so that those of maintenance and, of the links, those of templates are left out.
    """
    shown = _shown(tree)
    if shown:
        return shown
    return [name for name in _linked(tree) or _in_script(tree) if not is_maintenance(name)]


def is_maintenance(name: str) -> bool:
    """Say whether a category is on the state of the article (`Articles with dead links`), not on its topic."""
    return MAINTENANCE.fullmatch(name) is not None


def _shown(tree: Element) -> list[str]:
    for box in NORMAL(tree) or ALL(tree):
        links = [(link, [*link.iterancestors()]) for link in islice(box.iter("a"), MOST)]
        links = [(link, above) for link, above in links if all(node.get("id") != HIDDEN for node in above)]
        listed = [link for link, above in links if any(node.tag == "li" for node in above)]
        shown = listed or [link for link, _ in links[1:]]  # without a list, the first is a label
        return [name for link in shown if (name := text_of(link))]
    return []


def _linked(tree: Element) -> list[str]:
    return [_named(link.get("href")) for link in NAMED(tree)[:MOST] if not _of_template(link)]


def _of_template(element: Element) -> bool:
    nodes = (element, *element.iterancestors())
    return any("about" in node.attrib for node in nodes if node.tag not in ("html", "body"))


def _named(href: str) -> str:
    return collapsed(unquote(href.partition("#")[0].partition("Category:")[2]).replace("_", " "))


def _in_script(tree: Element) -> list[str]:
    for script in tree.iter("script"):
        text = script.text or ""
        if found := LISTED.search(text):
            try:
                names, _ = json.JSONDecoder().raw_decode(text, found.end())
            except (ValueError, RecursionError):
                return []
            texts = [name for name in names[:MOST] if isinstance(name, str)]
            return [collapsed(text.encode("utf-8", "replace").decode()) for text in texts]  # halves of surrogate pairs
    return []
