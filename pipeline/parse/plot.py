"""The plot of an article: the paragraphs that stand in its plot section themselves.

Not those inside notices, tables, captions and quotations. Sub-headings belong to the section. The markup of headings
comes in four shapes; all are read by the words of the heading, because ids and classes changed over the years:

    <h2><span class="mw-headline" id="Plot">Plot</span></h2> <p>…        until 2024
    <div class="mw-heading mw-heading2"><h2 id="Plot">Plot</h2></div> <p>…   from 2024
    <section><h2 id="Plot">Plot</h2> <p>… <section><h3>…                 Parsoid
    <div><h2>Plot</h2></div> <section><p>…                               the mobile site

Where a section has no paragraph itself, those of the plain boxes in it count.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pipeline.media.pages import Element
from pipeline.parse.tree import is_unseen, text_of

WORDS = (  # the better first
    "plot",
    "synopsis",
    "plot summary",
    "film synopsis",
    "plot synopsis",
    "film plot",
    "plot outline",
    "plot overview",
    "story summary",
    "premise",
    "story",
    "storyline",
    "story line",
    "summary",
    "outline",
)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NOT_PLAIN = frozenset(  # classes of boxes whose paragraphs belong to something else
    {"ambox", "metadata", "hatnote", "dablink", "noprint", "noexcerpt", "toc", "catlinks", "reflist", "references"}
    | {"thumb", "thumbinner", "thumbcaption", "gallerybox", "quotebox", "cquote", "templatequote"}
    | {"infobox", "sidebar", "side-box", "navbox", "vertical-navbox", "sistersitebox", "mbox-small"}
)
EDIT = "[edit]"
CANDIDATES = 8  # sections that are tried, and ...
WRAPPERS = 3  # ... boxes around a heading: limits for pages that repeat or nest without end


def find_plot(tree: Element) -> str:
    """Return the paragraphs of the best plot section, joined by newlines; "" when there is none with any text."""
    headings = (
        heading for heading in tree.iter("h2", "h3", "h4") if next(heading.iterdescendants(*HEADINGS), None) is None
    )
    found = [(heading, _words(heading)) for heading in headings]
    plots = [(heading.tag, WORDS.index(words), heading) for heading, words in found if words in WORDS]
    for _, _, heading in sorted(plots, key=lambda plot: plot[:2])[:CANDIDATES]:
        for inside in (_of_sections, _of_boxes):
            seen = (element for element in _section(heading, inside) if not is_unseen(element))
            paragraphs = [text for element in seen if (text := text_of(element))]
            if paragraphs:
                return "\n".join(paragraphs)
    return ""


def _words(heading: Element) -> str:
    headline = next((span for span in heading.iter("span") if "mw-headline" in span.get("class", "").split()), heading)
    text = text_of(headline).lower()
    return text.removeprefix(EDIT).removesuffix(EDIT).strip(" :.")


def _section(heading: Element, inside: Callable[[Element], Iterable[Element]]) -> Iterator[Element]:
    """Yield the paragraphs from `heading` to the next one of its level or above, and those `inside` its siblings."""
    start = heading
    for above in islice(heading.iterancestors(), WRAPPERS):
        if above.tag != "div" or next(above.iter("p"), None) is not None:
            break
        start = above  # the wrapper of a heading holds nothing else
    for sibling in start.itersiblings():
        if _ends(sibling, heading.tag):
            return
        if sibling.tag == "p":
            yield sibling
        else:
            yield from inside(sibling)


def _ends(element: Element, level: str) -> bool:
    if element.tag in HEADINGS:
        return element.tag <= level
    if element.tag not in ("div", "section") or not _plain(element):
        return False
    first = next(element.iter(*HEADINGS), None)
    return first is not None and first.tag <= level


def _of_sections(element: Element) -> Iterator[Element]:
    """Yield the paragraphs of a section and of the sections in it, in their order."""
    return _paragraphs(element, ("section",))


def _of_boxes(element: Element) -> Iterator[Element]:
    return _paragraphs(element, ("section", "div"))


def _paragraphs(element: Element, boxes: tuple[str, ...]) -> Iterator[Element]:
    waiting = [element]
    while waiting:
        node = waiting.pop()
        if node.tag == "p":
            yield node
        elif node.tag in boxes and _plain(node):
            waiting.extend(reversed(node))


def _plain(box: Element) -> bool:
    return NOT_PLAIN.isdisjoint(box.get("class", "").split()) and box.get("role") not in ("note", "navigation")
