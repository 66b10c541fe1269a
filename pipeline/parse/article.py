"""What a saved Wikipedia page says about a film, in the markup of any year from 2012 on.

A page is a film when a visible category says so (`1926 films`, `1950s comedy films`) or an infobox names a director and
is not a series'. Otherwise it is a disambiguation page, a page that does not exist, or an article on something else.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag

from pipeline.parse.plot import find_plot
from pipeline.scrape.poster import film_infobox, infobox_rows

YEAR = re.compile(r"\b(?:18[7-9]|19\d|20\d)\d\b")
YEAR_FILMS = re.compile(r"(\d{4}) films")
FILMS_OF_A_TIME = re.compile(r"(?:18|19|20)\d\ds? (?:.* )?films")
DISAMBIGUATOR = re.compile(r" \((?:[^()]* )?(?:film|movie)\)$")
SITE_NAME = re.compile(r" [-–—] Wikipedia\b.*$")

Kind = Literal["film", "disambiguation", "missing", "not_a_film"]


@dataclass(frozen=True)
class Article:
    """A page's facts; what it does not say is "", None or ()."""

    kind: Kind
    title: str
    year: int | None
    plot: str
    categories: tuple[str, ...]


def parse_article(html: str) -> Article:
    """Return what the page `html` says."""
    soup = BeautifulSoup(html, "lxml")
    categories = visible_categories(soup)
    infobox = film_infobox(soup)
    title = _title(soup, infobox)
    year = _year_of_categories(categories) or _year_of_release(infobox) or _year_of_title(title)
    return Article(_kind(soup, categories, infobox), title, year, find_plot(soup), tuple(categories))


def without_disambiguator(title: str) -> str:
    """Return `The General` for `The General (1926 film)`; any other title as it is."""
    return DISAMBIGUATOR.sub("", title)


def visible_categories(soup: BeautifulSoup) -> list[str]:
    """Return the categories that a reader sees, in page order.

    Parsoid's pages do not say which are hidden: those written in the article itself count, not those of templates.
    """
    links = soup.select("#mw-normal-catlinks li a") or soup.select("#mw-normal-catlinks a")[1:]  # the first is a label
    if links:
        return [_text(link) for link in links]
    written = [link for link in soup.select('link[rel~="mw:PageProp/Category"][href]') if not _of_template(link)]
    names = [unquote(str(link["href"]).partition("#")[0].partition(":")[2]) for link in written]
    return [" ".join(name.replace("_", " ").split()) for name in names]


def _of_template(element: Tag) -> bool:
    return element.has_attr("about") or element.find_parent(["span", "div", "table"], attrs={"about": True}) is not None


def _kind(soup: BeautifulSoup, categories: list[str], infobox: Tag | None) -> Kind:
    if soup.select_one(".noarticletext, #noarticletext, .mw-noarticletext"):
        return "missing"
    notice = '#disambigbox, .dmbox-disambig, meta[property="mw:PageProp/disambiguation"]'
    if soup.select_one(notice) or any(re.search(r"\bdisambiguation pages\b", name, re.I) for name in categories):
        return "disambiguation"
    named = any(FILMS_OF_A_TIME.fullmatch(name) for name in categories)
    return "film" if named or infobox else "not_a_film"


def _title(soup: BeautifulSoup, infobox: Tag | None) -> str:
    heading = soup.select_one("h1#firstHeading")
    if heading and _text(heading):
        return _text(heading)
    if soup.title and _text(soup.title):
        return SITE_NAME.sub("", _text(soup.title))
    above = infobox.select_one(".summary, .infobox-above") if infobox else None
    return _text(above) if above else ""


def _year_of_categories(categories: list[str]) -> int | None:
    years = [int(found[1]) for name in categories if (found := YEAR_FILMS.fullmatch(name))]
    return next((year for year in years if YEAR.fullmatch(str(year))), None)


def _year_of_release(infobox: Tag | None) -> int | None:
    """Return the earliest year in the row of the release dates."""
    if infobox is None:
        return None
    cells = [cell for label, cell in infobox_rows(infobox) if label.startswith(("release date", "released"))]
    years = [int(year) for cell in cells for year in YEAR.findall(cell.get_text(" "))]
    return min(years, default=None)


def _year_of_title(title: str) -> int | None:
    disambiguator = DISAMBIGUATOR.search(title)
    found = YEAR.search(disambiguator[0]) if disambiguator else None
    return int(found[0]) if found else None


def _text(element: Tag) -> str:
    return " ".join(element.get_text().split())
