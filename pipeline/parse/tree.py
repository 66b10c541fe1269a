"""The text of an element as a reader sees it.

Nothing here recurses: elements may stand 2,048 deep, where libxml2 ends a tree.
"""

import re

from lxml import etree

from pipeline.corpus.title import collapsed
from pipeline.media.pages import Element

NOT_TEXT = frozenset(("style", "script", "template", "noscript", "figure", "audio", "video", "math"))
MARKS = frozenset(  # of references and of editors
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
MARK_PIECES = 20  # a raised text of more pieces is no mark; a limit for pages that nest without end
EMPTY_BRACKETS = re.compile(r"\[\s*\]")


def having(name: str) -> str:
    """Return the XPath condition that an element has the class `name`."""
    return f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')"


def text_of(element: Element) -> str:
    """Return the text of `element` with single spaces: no marks of references, no editors' links, nothing hidden."""
    if not len(element):
        return collapsed(EMPTY_BRACKETS.sub("", element.text or ""))
    pieces: list[str] = []
    raised: list[int] = []  # where the open `sup` began
    walker = etree.iterwalk(element, events=("start", "end"))
    for event, node in walker:
        if event == "start":
            if node.tag == "sup":
                raised.append(len(pieces))
            if node is not element and is_unseen(node):
                walker.skip_subtree()
                if node.tag == "br":
                    pieces.append(" ")
            else:
                pieces.append(node.text or "")
        else:
            if node.tag == "sup":
                start = raised.pop()
                if len(pieces) - start <= MARK_PIECES and BRACKETED.fullmatch("".join(pieces[start:])):
                    del pieces[start:]
            if node is not element:
                pieces.append(node.tail or "")
    return collapsed(EMPTY_BRACKETS.sub("", "".join(pieces)))


def is_unseen(node: Element) -> bool:
    """Say whether a reader does not see the element, or sees a mark that is none of the article's words."""
    if node.tag in NOT_TEXT or node.tag == "br":
        return True
    attributes = node.attrib
    return bool(attributes) and (
        not MARKS.isdisjoint(attributes.get("class", "").split())
        or "mw:Extension/ref" in attributes.get("typeof", "").split()
        or "#cite_note" in attributes.get("href", "")
        or "hidden" in attributes
        or HIDDEN.search(attributes.get("style", "")) is not None
    )
