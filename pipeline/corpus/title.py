"""Film title and year from an article's URL: `https://en.wikipedia.org/wiki/Metropolis_(1927_film)`."""

import re
from urllib.parse import unquote, urlsplit

from pipeline.corpus.film import YEARS

DISAMBIGUATOR = re.compile(r" \((?:[^()]* )?(?:film|movie|serial|documentary)\)$", re.IGNORECASE)
YEAR = re.compile(r"\b[12][0-9]{3}\b")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
QUERY = re.compile(r"[A-Za-z][\w.-]*=", re.ASCII)  # starts with a name and a value: `action=raw&section=2`


def article_address(url: str) -> str:
    """Return `url` with the question marks that belong to the title of its article percent-encoded.

    `/wiki/What's_Up,_Doc?_(1972_film)?action=raw` ends with a query; the first question mark is part of the title. A
    URL without /wiki/Title is not changed.
    """
    address, mark, fragment = url.partition("#")
    path, *rest = address.split("?")
    if not rest or not path.partition("/wiki/")[2]:
        return url
    first = next((number for number, piece in enumerate(rest) if QUERY.match(piece)), len(rest))
    return "?".join(["%3F".join([path, *rest[:first]]), *rest[first:]]) + mark + fragment


def article_title(url: str) -> str:
    """Return the title in an article's URL, with its disambiguator; "" if the path is not /wiki/Title."""
    return collapsed(unquote(urlsplit(article_address(url)).path.partition("/wiki/")[2]).replace("_", " "))


def without_disambiguator(title: str) -> str:
    """Return `The General` for `The General (1926 film)`; other titles unchanged."""
    return DISAMBIGUATOR.sub("", title)


def year_of_disambiguator(title: str) -> int | None:
    """Return 1926 for `The General (1926 film)`, None for `The General (film)` and `Summer of 1942`."""
    disambiguator = DISAMBIGUATOR.search(title)
    found = YEAR.search(disambiguator[0]) if disambiguator else None
    return int(found[0]) if found and int(found[0]) in YEARS else None


def search_for(title: str, year: int | None, template: str) -> str:
    """Return `template` with `{title}` and `{year}` filled in; an unknown year leaves no gap."""
    dated = template.replace("{year}", "" if year is None else str(year))  # first: a title may contain {year}
    return collapsed(dated.replace("{title}", title))


def collapsed(text: str) -> str:
    """Return `text` with single spaces, and without control characters."""
    return " ".join(UNPRINTABLE.sub(" ", text).split())
