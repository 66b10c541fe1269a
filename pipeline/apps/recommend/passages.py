"""Passages of a query that can be left out one at a time: sentences of its plot, and single tags.

A sentence ends at a full stop, question mark or exclamation mark of any script, except before a lower-case letter and
after an abbreviation of one capital and at most two more letters (F. W. Murnau, Dr. Caligari).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from pipeline.apps.recommend.query import Query
from pipeline.core.variants import TagsRule

Place = TypeVar("Place")

MOST = 24  # passages of the plot, and of the tags; if there are more, neighbours are merged
PARAGRAPHS = 480  # maximum total of paragraphs that a model reads, over all plots with one passage left out
CLOSING = (
    "\"'\N{RIGHT SINGLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK})]"
)
WIDE = "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH EXCLAMATION MARK}\N{FULLWIDTH QUESTION MARK}"  # no space follows
MARKS = (
    ".!?\N{HORIZONTAL ELLIPSIS}\N{ARABIC QUESTION MARK}\N{ARABIC FULL STOP}\N{DEVANAGARI DANDA}\N{ARMENIAN FULL STOP}"
)
END = re.compile(rf"[{re.escape(MARKS)}]+[{re.escape(CLOSING)}]*\s+|[{WIDE}]+[{re.escape(CLOSING)}\u300d\u300f]*\s*")
SHORT = re.compile(r"(?:^|[^\w.])(\w{1,3})$")


@dataclass(frozen=True)
class Passage:
    """A passage of a query's plot or tags."""

    part: str  # tags or plot
    text: str
    rest: Query | None  # the query without it; None if it is the whole part


def passages(query: Query, parts: Collection[str], tags_rule: TagsRule) -> list[Passage]:
    """Return the passages of the texts among `parts`, in order; `tags_rule` is the format of the tags."""
    found = []
    if "plot" in parts:
        found += _of_plot(query)
    if "tags" in parts:
        found += _of_tags(query, tags_rule)
    return found


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, in order, stripped of surrounding spaces."""
    found, start = [], 0
    for mark in END.finditer(text):
        if not _goes_on(text[start : mark.start()], mark[0], text[mark.end() : mark.end() + 1]):
            found.append(text[start : mark.end()].strip())
            start = mark.end()
    return [sentence for sentence in (*found, text[start:].strip()) if sentence]


def _goes_on(before: str, mark: str, after: str) -> bool:
    word = SHORT.search(before)
    return after.islower() or (mark.strip() == "." and word is not None and word[1][0].isupper())


def _of_plot(query: Query) -> list[Passage]:
    paragraphs = [line.strip() for line in (query.plot or "").split("\n") if line.strip()]
    parted = [sentences(paragraph) for paragraph in paragraphs]
    places = [(number, place) for number, of in enumerate(parted) for place in range(len(of))]
    found = []
    for group in _grouped(places, min(MOST, PARAGRAPHS // max(1, len(paragraphs)))):
        kept = list(paragraphs)
        for number in {number for number, _ in group}:
            kept[number] = " ".join(text for place, text in enumerate(parted[number]) if (number, place) not in group)
        rest = "\n".join(paragraph for paragraph in kept if paragraph)
        text = " ".join(parted[number][place] for number, place in group)
        found.append(Passage("plot", text, replace(query, plot=rest) if rest else None))
    return found


def _of_tags(query: Query, rule: TagsRule) -> list[Passage]:
    tags = query.tags or ""
    sign = ", " if rule == "categories" or "," in tags else " "
    items = [" ".join(item.split()) for item in tags.split(sign.strip() or None) if item.strip()]
    found = []
    for group in _grouped(range(len(items)), MOST):
        rest = sign.join(item for place, item in enumerate(items) if place not in group)
        text = sign.join(items[place] for place in group)
        found.append(Passage("tags", text, replace(query, tags=rest) if rest else None))
    return found


def _grouped(places: Sequence[Place], most: int) -> list[Sequence[Place]]:
    """Return `places` in at most `most` groups of neighbours of nearly equal size."""
    count = min(max(2, most), len(places))
    bounds = [len(places) * number // count for number in range(count + 1)] if count else []
    return [places[start:end] for start, end in pairwise(bounds)]
