"""Whether a page is an article on one film, by what its wiki says of it.

The rule is the one of `parse`, which later reads the page itself: here only title and categories are known, so a film
that nothing but its infobox or first sentence gives away is not recognised.
"""

import re
from collections.abc import Iterable

from lxml.etree import Element

from pipeline.apps.corpus.api import Facts
from pipeline.apps.corpus.article import why_no_film
from pipeline.corpus.film import YEARS
from pipeline.parse.kind import kind_of

YEAR_FILMS = re.compile(r"(\d{4}) films")

Trouble = tuple[str, str]  # a word and a sentence


def trouble_with(facts: Facts) -> Trouble | None:
    """Return why a page is no film's article, None when it is one."""
    if facts.elsewhere:
        return "elsewhere", "the title belongs to another wiki"
    if facts.invalid:
        return "invalid", facts.invalid
    if facts.namespace != 0:
        return "not_an_article", f"{facts.title} is a page of another namespace"
    if facts.missing:
        return "missing", "there is no such article"
    if facts.disambiguation:
        return "disambiguation", f"{facts.title} lists articles of the same title: name the film's own"
    if facts.section:
        return "section", f"leads to a section of another article, {facts.title}#{facts.section}"
    if reason := why_no_film(facts.title):
        return "list", f"{facts.title} is {reason}"
    finding = kind_of(Element("html"), list(facts.categories), [], facts.title)
    if finding.kind == "not_a_film":
        return finding.kind, f"{facts.title} is in no category of films, such as `1926 films`"
    return None if finding.kind == "film" else (finding.kind, f"{facts.title} is no film: {finding.evidence}")


def year_of(categories: Iterable[str]) -> int | None:
    """Return the year of a category such as `1926 films`; the earliest, where a page has several."""
    years = [int(found[1]) for name in categories if (found := YEAR_FILMS.fullmatch(name))]
    return min((year for year in years if year in YEARS), default=None)
