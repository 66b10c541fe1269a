"""The visible text of an element.

No function recurses: elements may be nested 2,048 deep, libxml2's limit.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from lxml import etree

from pipeline.corpus.title import collapsed
from pipeline.media.pages import Element

NOT_TEXT = frozenset(("style", "script", "template", "noscript", "figure", "audio", "video", "math"))
MARKS = frozenset(  # classes of reference marks and editing links
    (
        "reference",
        "mw-ref",
        "noprint",
        "Inline-Template",
        "mw-editsection",
        "editsection",
        "mw-headline-number",
        "error",
    )
)
HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
BRACKETED = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
EXPONENT = re.compile(r"[+−–-]?[0-9knx][0-9knx.,/+−–-]*")
SLASHES = ("/", "⁄", "∕")  # of a fraction: 8<sup>1</sup>⁄<sub>2</sub>
MARK_PIECES = 20  # a superscript of more pieces is not a mark: a limit for nested pages
EMPTY_BRACKETS = re.compile(r"\[\s*\]")
BLOCKS = frozenset(  # elements that start and end a line
    {"p", "li", "ul", "ol", "dl", "dt", "dd", "div", "section", "article", "main", "aside", "nav", "header", "footer"}
    | {"blockquote", "center", "pre", "hr", "form", "fieldset", "table", "caption", "tr", "td", "th"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
)


def having(name: str) -> str:
    """Return the XPath condition for elements of class `name`."""
    return f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')"


def text_of(element: Element) -> str:
    """Return the text of `element` with single spaces, without reference marks, editing links and hidden text.

    A superscript number is kept apart: `10<sup>6</sup>` is 10^6.
    """
    if not len(element):
        return collapsed(EMPTY_BRACKETS.sub("", element.text or ""))
    return " ".join(lines_of([element], lambda node: node is not element and is_unseen(node)))


def lines_of(nodes: Iterable[Element | str], is_left_out: Callable[[Element], bool]) -> Iterator[str]:
    """Yield the visible lines of `nodes`, in document order; text outside an element is a string in `nodes`.

    `is_left_out` is called once for each element without an excluded ancestor, after the line before a block has been
    yielded: it may keep a state that the caller reads.
    """
    pieces: list[str] = []
    raised: list[int] = []  # where the open `sup` began
    for root in nodes:
        if isinstance(root, str):
            pieces.append(root)
            continue
        walker = etree.iterwalk(root, events=("start", "end"))
        for event, node in walker:
            if node.tag in BLOCKS:
                if pieces and (line := _line(pieces)):
                    yield line
                pieces, raised = [], [0] * len(raised)
            if event == "start":
                if node.tag == "sup":
                    raised.append(len(pieces))
                if is_left_out(node):
                    walker.skip_subtree()
                    if node.tag == "br":
                        pieces.append(" ")
                else:
                    pieces.append(node.text or "")
            else:
                if node.tag == "sup":
                    _end_raised(pieces, raised.pop(), node.tail or "")
                if node is not root:
                    pieces.append(node.tail or "")
    if line := _line(pieces):
        yield line


def is_unseen(node: Element) -> bool:
    """Return whether the element is invisible, or a mark that is not part of the text."""
    if node.tag in NOT_TEXT or node.tag == "br":
        return True
    attributes = node.attrib
    return bool(attributes) and (
        not MARKS.isdisjoint(attributes.get("class", "").split())
        or "mw:Extension/ref" in attributes.get("typeof", "").split()
        or "#cite_note" in attributes.get("href", "")
        or attributes.get("id", "").startswith("cite_ref")
        or "hidden" in attributes
        or HIDDEN.search(attributes.get("style", "")) is not None
    )


def _line(pieces: list[str]) -> str:
    return collapsed(EMPTY_BRACKETS.sub("", "".join(pieces)))


def _end_raised(pieces: list[str], start: int, tail: str) -> None:
    """Remove the pieces from `start` on if they are a mark; separate an exponent or a fraction."""
    if len(pieces) - start > MARK_PIECES:
        return
    text = "".join(pieces[start:])
    base = "".join(pieces[max(0, start - MARK_PIECES) : start])[-1:]
    if BRACKETED.fullmatch(text):
        del pieces[start:]
    elif (base.isalnum() or base == ")") and EXPONENT.fullmatch(text.strip()):
        pieces[start:] = [" " if tail.startswith(SLASHES) else "^", text.strip()]
