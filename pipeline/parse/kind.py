"""The topic of an article: a film, or another thing with the same name.

First, disambiguation pages are recognised. Then categories decide, by the head noun: `1926 films` and `Films
based on video games` are of films, `Video games based on films` is of games. The words in brackets after the title and
the labels of the infobox decide if categories give no answer or disagree, the first sentence if there is nothing else.

A category of films without a year is weak evidence: `New Line Cinema films` contains the studio too. Then the infobox
or the first sentence must identify a film. A list is never a film.
"""

import re
from dataclasses import dataclass

from lxml.etree import XPath

from pipeline.media.pages import Element
from pipeline.parse.infobox import Infobox
from pipeline.parse.lead import description_of, first_sentence, predicate
from pipeline.parse.nouns import (
    Kind,
    is_of_a_decade,
    is_of_a_sort,
    is_of_a_year,
    is_of_the_topic,
    kind_of_category,
    kind_of_phrase,
)
from pipeline.parse.tree import having

DISAMBIGUATION = re.compile(r"\bdisambiguation pages\b|^Set ind(?:ex articles|ices)\b", re.IGNORECASE)
IN_BRACKETS = re.compile(r" \(([^()]*)\)$")
DIRECTED = re.compile(r"\b(?:is|was) an? [^,.;:]*\bdirected by\b")
LIST = re.compile(r"(?:lists?|index|outline) of ", re.IGNORECASE)
QUOTED = 100  # characters of an article's text in a reason
LABELS: tuple[tuple[Kind, frozenset[str], int], ...] = (  # of infoboxes, and the number required
    ("person", frozenset({"born"}), 1),
    ("game", frozenset({"developer(s)", "developer", "developers", "platform(s)", "platform", "platforms"}), 2),
    ("series", frozenset({"no. of seasons", "no. of series", "no. of episodes", "episodes", "episode no."}), 1),
    ("film", frozenset({"directed by"}), 1),
)
NO_ARTICLE = XPath(
    f"(//div | //table)[@id='noarticletext' or {having('noarticletext')} or {having('mw-noarticletext')}]"
)
LIST_OF_ARTICLES = XPath(
    f"(//div | //table)[@id='disambigbox' or @id='setindexbox' or {having('dmbox-disambig')}]"
    " | //meta[@property='mw:PageProp/disambiguation']"
)
API_SAYS_MISSING = re.compile(r'"missing"\s*:|missingtitle|nonexistent-title|"(?:httpCode|status)"\s*:\s*404\b')


@dataclass(frozen=True)
class Finding:
    """A kind, and a clause with the evidence: "a category says `2003 video games`"."""

    kind: Kind
    evidence: str


def is_missing(text: str, tree: Element) -> bool:
    """Return whether a page, or an answer of the API, states that the article does not exist."""
    if text.lstrip()[:1] == "{":
        return API_SAYS_MISSING.search(text) is not None
    return bool(NO_ARTICLE(tree))


def kind_of(tree: Element, categories: list[str], boxes: list[Infobox], title: str) -> Finding:
    """Return the topic of the article."""
    for name in categories:
        if DISAMBIGUATION.search(name):
            return Finding("disambiguation", _category(name))
    if LIST_OF_ARTICLES(tree):
        return Finding("disambiguation", "a notice says so")
    dated = next((name for name in categories if is_of_a_year(name)), None)
    of_box = _of_boxes(boxes)
    if LIST.match(title) and not (dated and of_box and of_box.kind == "film"):
        return Finding("not_a_film", f"the title says that it is a list: `{title[:QUOTED]}`")
    named = [(kind, name) for name in categories if (kind := kind_of_category(name))]
    found = _of_title(title) or of_box
    other = next((Finding(kind, _category(name)) for kind, name in named if kind != "film"), None)
    if person := next((name for kind, name in named if kind == "person"), None):
        return Finding("person", _category(person))
    if dated:
        return found if other and found and found.kind == other.kind else Finding("film", _category(dated))
    if other:
        return other
    if decade := next((name for name in categories if is_of_a_decade(name)), None):
        return Finding("film", _category(decade))
    return found or _without_proof(tree, categories, boxes, title, [name for _, name in named])


def _without_proof(
    tree: Element, categories: list[str], boxes: list[Infobox], title: str, undated: list[str]
) -> Finding:
    """Return the topic if title and infobox do not decide; `undated` are the categories of films without a year."""
    if topic := next((name for name in undated if is_of_the_topic(name, title)), None):
        return Finding("not_a_film", f"a category is named after it: `{topic[:QUOTED]}`")
    aired = next((box.aired for box in boxes if box.aired), "")
    if (undated or aired or not categories) and (lead := _of_lead(tree)):
        return lead
    if undated and DIRECTED.search(sentence := first_sentence(tree)):  # `a British thriller directed by …`
        return Finding("film", _text(sentence))
    if films := next((name for name in undated if aired or is_of_a_sort(name)), None):
        return Finding("film", _category(films))
    if aired:
        return Finding("series", f"the infobox has a row `{aired[:QUOTED]}`")
    if undated:
        return Finding("not_a_film", f"only {_category(undated[0])}; no infobox or first sentence says that it is one")
    if categories:
        shown = ", ".join(f"`{name[:QUOTED]}`" for name in categories[:3])
        return Finding("not_a_film", f"neither its categories ({shown}) nor an infobox say that it is one")
    return Finding("not_a_film", "no category, infobox or first sentence says that it is one")


def _of_title(title: str) -> Finding | None:
    brackets = IN_BRACKETS.search(title)
    return _worded(brackets[1], f"the title says `{brackets[0].strip()[:QUOTED]}`") if brackets else None


def _of_boxes(boxes: list[Infobox]) -> Finding | None:
    for box in boxes:
        for kind, labels, needed in LABELS:
            found = [label for label in box.rows if label in labels]
            if len(found) >= needed and not (kind == "film" and box.aired):
                return Finding(kind, f"the infobox has a row `{found[0]}`")
        if box.is_of_episodes:
            return Finding("series", f"the infobox has a row `{box.aired[:QUOTED]}` of more than one day")
    return None


def _of_lead(tree: Element) -> Finding | None:
    described = description_of(tree)
    if found := _worded(described, f"the page is described as `{described[:QUOTED]}`"):
        return found
    sentence = first_sentence(tree)
    return _worded(predicate(sentence), _text(sentence))


def _worded(text: str, evidence: str) -> Finding | None:
    kind = kind_of_phrase(text)
    return Finding(kind, evidence) if kind else None


def _text(sentence: str) -> str:
    return f"the text begins `{sentence[:QUOTED]}`"


def _category(name: str) -> str:
    return f"a category says `{name[:QUOTED]}`"
