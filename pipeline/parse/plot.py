"""The plot of an article: the paragraphs that stand in its plot section themselves.

Not those inside notices, tables, captions and quotations. Sub-headings belong to the section. The markup of headings
comes in four shapes; all are read by the words of the heading, because ids and classes changed over the years:

    <h2><span class="mw-headline" id="Plot">Plot</span></h2> <p>…        until 2024
    <div class="mw-heading mw-heading2"><h2 id="Plot">Plot</h2></div> <p>…   from 2024
    <section><h2 id="Plot">Plot</h2> <p>… <section><h3>…                 Parsoid
    <div><h2>Plot</h2></div> <section><p>…                               the mobile site
"""

import copy
import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag

WORDS = (  # the better first
    "plot",
    "synopsis",
    "plot summary",
    "film synopsis",
    "plot synopsis",
    "premise",
    "story",
    "summary",
)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
EDIT_LINKS = ".mw-editsection, .editsection, .mw-headline-number"
MARKS = (  # of references and of editors, and what a reader does not see
    ".reference, .mw-ref, .noprint, .Inline-Template, .mw-editsection, .error, style, script, "
    'a[href*="#cite_note"], [style*="display:none"], [style*="display: none"]'
)
BRACKETED = re.compile(r"\s*\[.*\]\s*", re.DOTALL)


def find_plot(soup: BeautifulSoup) -> str:
    """Return the paragraphs of the best plot section, joined by newlines; "" when there is none with any text."""
    headings = [heading for heading in soup.find_all(HEADINGS[1:4]) if _words(heading) in WORDS]
    for heading in sorted(headings, key=lambda heading: (heading.name, WORDS.index(_words(heading)))):
        paragraphs = [text for element in _section(heading) if (text := _paragraph(element))]
        if paragraphs:
            return "\n".join(paragraphs)
    return ""


def _words(heading: Tag) -> str:
    heading = copy.copy(heading)
    for link in heading.select(EDIT_LINKS + ", .reference"):
        link.decompose()
    text = " ".join(heading.get_text().split()).lower()
    return text.removesuffix("[edit]").rstrip(" :")


def _section(heading: Tag) -> Iterator[Tag]:
    """Yield the paragraphs from `heading` to the next one of its level or above."""
    start = heading
    while start.parent is not None and start.parent.name == "div" and not start.parent.find("p"):
        start = start.parent  # the wrapper of a heading holds nothing else
    for sibling in start.next_siblings:
        if not isinstance(sibling, Tag):
            continue
        if _ends(sibling, heading.name):
            return
        if sibling.name == "p":
            yield sibling
        elif sibling.name == "section":
            yield from _inside(sibling)


def _inside(section: Tag) -> Iterator[Tag]:
    for child in section.find_all(["p", "section"], recursive=False):
        if child.name == "p":
            yield child
        else:
            yield from _inside(child)


def _ends(element: Tag, level: str) -> bool:
    if element.name in HEADINGS:
        return element.name <= level
    if element.name not in ("div", "section"):
        return False
    first = element.find(HEADINGS)
    return first is not None and first.name <= level


def _paragraph(element: Tag) -> str:
    """Return the text of a paragraph with single spaces and without marks."""
    element = copy.copy(element)
    for mark in element.select(MARKS):
        mark.decompose()
    for raised in element.find_all("sup"):
        if BRACKETED.fullmatch(raised.get_text()):
            raised.decompose()
    for line_break in element.find_all("br"):
        line_break.replace_with(" ")
    return " ".join(element.get_text().split())
