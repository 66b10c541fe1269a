"""The facts of a saved Wikipedia page about a film, in the markup of any year since 2012."""

import re
from dataclasses import dataclass

from lxml.etree import XPath

from pipeline.corpus.title import article_title, year_of_disambiguator
from pipeline.media.pages import Element, read_tree
from pipeline.parse.categories import visible_categories
from pipeline.parse.infobox import Infobox, read_infoboxes
from pipeline.parse.kind import Finding, is_missing, kind_of
from pipeline.parse.language import other_language
from pipeline.parse.lead import year_of_lead
from pipeline.parse.nouns import FILMS_OF_A_YEAR, Kind
from pipeline.parse.plot import find_plot
from pipeline.parse.tree import having, text_of

YEAR = re.compile(r"(?<!\d)(?:18[7-9]|19\d|20\d)\d(?!\d)")
YEAR_FILMS = re.compile(r"\d{4} (?:films|movies)")
SITE_NAME = re.compile(r" [-–—] Wikipedia\b.*$")
HEADING = XPath(f"//h1[@id='firstHeading' or {having('firstHeading')} or @id='section_0']")
HEAD_TITLE = XPath("//head/title")


@dataclass(frozen=True)
class Article:
    """A page's facts; unknown ones are "", None or ()."""

    kind: Kind
    evidence: str  # a clause: why it is of this kind
    title: str
    year: int | None
    plot: str
    categories: tuple[str, ...]


def parse_article(text: str, url: str) -> Article:
    """Return the facts of the page `text`; the title is from `url` if the page has none."""
    tree = read_tree(text)
    categories = visible_categories(tree)
    boxes = read_infoboxes(tree)
    title = _title(tree, url, boxes)
    if is_missing(text, tree):
        found = Finding("missing", "the page says so")
    elif foreign := other_language(tree, url):
        found = Finding("other_language", foreign)
    else:
        found = kind_of(tree, categories, boxes, title)
    year = _year_of_categories(categories) or _year_of_release(boxes) or year_of_disambiguator(title)
    if year is None and found.kind == "film":
        year = year_of_lead(tree)
    return Article(found.kind, found.evidence, title, year, find_plot(tree), tuple(categories))


def _title(tree: Element, url: str, boxes: list[Infobox]) -> str:
    for element in HEADING(tree):
        if title := text_of(element):
            return title
    for element in HEAD_TITLE(tree):
        if title := SITE_NAME.sub("", text_of(element)):
            return title
    return article_title(url) or next((box.above for box in boxes if box.above), "")


def _year_of_categories(categories: list[str]) -> int | None:
    """Return the earliest year in a category; `1926 films` takes precedence over `1926 comedy films`."""
    for pattern in (YEAR_FILMS, FILMS_OF_A_YEAR):
        years = [name[:4] for name in categories if pattern.fullmatch(name) and YEAR.match(name)]
        if years:
            return int(min(years))
    return None


def _year_of_release(boxes: list[Infobox]) -> int | None:
    """Return the earliest year in the first infobox with a release date."""
    releases = [YEAR.findall(box.release) for box in boxes]
    return next((int(min(years)) for years in releases if years), None)
