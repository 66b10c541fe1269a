"""The infoboxes of an article: rows that identify the kind of article and the year of release."""

import re
from dataclasses import dataclass
from itertools import islice

from lxml.etree import XPath

from pipeline.media.pages import Element, infoboxes
from pipeline.parse.tree import having, text_of

RELEASE = ("release", "original release", "original air", "original network release", "first shown", "first aired")
NETWORKS = frozenset({"network", "original network", "channel", "original channel"})  # of series, and of films too
AIRED = ("original air", "original release", "original run", "first aired", "last aired", "air date")
SPAN = re.compile(r"\d\)?\s*[–—]\s*(?:\d|[A-Z]|present\b)|(?:[–—-]|\bto)\s*present\b")  # 5 April 2004 – 28 May 2004
ABOVE = XPath(f".//*[self::th or self::td or self::caption][{having('infobox-above')} or {having('summary')}]")


@dataclass(frozen=True)
class Infobox:
    """`rows` maps each label, in lower case with single spaces, to its cell; `above` is the box's title."""

    rows: dict[str, Element]
    above: str

    @property
    def release(self) -> str:
        """The text of the rows with a release date; "" without any."""
        return " ".join(text_of(cell) for label, cell in self.rows.items() if label.startswith(RELEASE))

    @property
    def aired(self) -> str:
        """The label of a row about its broadcast, as a series or a film; "" without any."""
        return next((label for label in self.rows if label in NETWORKS or label.startswith(AIRED)), "")

    @property
    def is_of_episodes(self) -> bool:
        """Whether it was broadcast over a period."""
        return any(SPAN.search(text_of(cell)) for label, cell in self.rows.items() if label.startswith(AIRED))


def read_infoboxes(tree: Element) -> list[Infobox]:
    """Return the boxes with labelled rows, in page order; a nested box is part of the outer one."""
    boxes = [Infobox(_rows(table), _above(table)) for table in infoboxes(tree)]
    return [box for box in boxes if box.rows]


def _rows(table: Element) -> dict[str, Element]:
    rows: dict[str, Element] = {}
    for row in table.iter("tr"):
        cells = list(islice(row.iterchildren("th", "td"), 3))
        if len(cells) == 2 and next(cells[0].iter("tr"), None) is None:
            rows.setdefault(text_of(cells[0]).lower(), cells[1])
    return rows


def _above(table: Element) -> str:
    found = ABOVE(table)
    return text_of(found[0]) if found else ""
