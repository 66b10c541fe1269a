"""Whether a page is an article about one film, by its title and categories.

The rule is that of `parse`, which later reads the page itself. Only title and categories are known here: a film
identified by nothing but its infobox or first sentence is not recognised.
"""

import re
from collections.abc import Iterable

from lxml.etree import Element

from pipeline.apps.corpus.api import Facts
from pipeline.apps.corpus.article import why_no_film
from pipeline.corpus.film import YEARS
from pipeline.parse.kind import kind_of

YEAR_FILMS = re.compile(r"(\d{4}) films")

Trouble = tuple[str, str]  # a kind and a sentence


def trouble_with(facts: Facts) -> Trouble | None:
    """Return why a page is not a film's article, None if it is."""
    if facts.elsewhere:
        return "elsewhere", "the title belongs to another wiki"
    if facts.invalid:
        return "invalid", facts.invalid
    if facts.namespace != 0:
        return "not_an_article", f"{facts.title} is a page of another namespace"
    if facts.missing:
        return "missing", "the article does not exist"
    if facts.disambiguation:
        return "disambiguation", f"{facts.title} is a disambiguation page: use the film's own article"
    if facts.section:
        return "section", f"leads to a section of another article, {facts.title}#{facts.section}"
    if reason := why_no_film(facts.title):
        return "list", f"{facts.title} is {reason}"
    finding = kind_of(Element("html"), list(facts.categories), [], facts.title)
    if finding.kind == "not_a_film":
        return finding.kind, f"{facts.title} is not in a category of films, such as `1926 films`"
    return None if finding.kind == "film" else (finding.kind, f"{facts.title} is not a film: {finding.evidence}")


def year_of(categories: Iterable[str]) -> int | None:
    """Return the year of a category such as `1926 films`; the earliest of several."""
    years = [int(found[1]) for name in categories if (found := YEAR_FILMS.fullmatch(name))]
    return min((year for year in years if year in YEARS), default=None)
