"""A film's tags, from its visible categories by one of two rules. Maintenance categories are ignored.

`words`: the words of all categories, most common last, after the year of release.

    1985 national united states … teen school high comedy-drama coming-of-age english-language 1980s american

The rule follows the reference's published tags of 7,771 films. Categories are split into lower-case words at spaces
only: `english-language` and `comedy-drama` stay whole. Stop words are removed: function words (except `about`, as in
the reference), words of every film, verbs of credits, and remainders of the names of awards and studios. Also removed
are words that never occur among its 852: names of people (`directed by …`), places of story and filming (`set in …`,
`shot in …`; decades are kept), and years other than the release. Each word occurs once. Words are sorted by the number
of categories that contain them, rarest first, and ties in reverse page order.

The reference also includes the words of hidden maintenance categories (`Use Indian English from …`) and drops words
that are rare in its whole corpus. Here neither is done: the former are not about the film, and with the latter a film's
tags would depend on other films.

`categories`: the categories themselves, in page order and lower case, joined by ", " for an encoder that reads text.

    1985 films, 1980s coming-of-age comedy-drama films, films about teachers, films set in chicago
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pipeline.parse.categories import is_maintenance

CREDIT = re.compile(r" by .*")
PLACE = re.compile(r"\b(?:set|shot|filmed) (?:in|on|at|around|during|aboard) .*")
DECADE = re.compile(r"(?:1[0-9]|20)\d0s")
YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
EDGES = "()[]{}\"'“”‘’,;:.!?&–—-/"
GRAMMAR = """a an and any as at based by during featuring for from in into is its new of on or over that the their to
    under up upon with"""
NAMES = "century globe prize walt warner"
AWARDED = ("award–winning", "award-winning")  # Wikipedia has both forms; the reference the second
EVERY_FILM = """adapted articles best bros characters directed distributed edited feature features filmed films pages
    performance performances pictures produced productions released scored screenplay screenplays set shot stories story
    studios themes winners written"""
STOP_WORDS = frozenset(f"{GRAMMAR} {EVERY_FILM} {NAMES}".split())


def tags_of(categories: Iterable[str], year: int | None, rule: Literal["words", "categories"]) -> str:
    """Return the tags, separated by single spaces or by ", "; "" if there are none."""
    topics = [name for name in categories if not is_maintenance(name)]
    return word_tags(topics, year) if rule == "words" else phrase_tags(topics)


def word_tags(categories: Iterable[str], year: int | None) -> str:
    """Return `year` and the words of `categories`, each once."""
    counts = Counter(word for category in categories for word in dict.fromkeys(_words(category)))
    place = {word: number for number, word in enumerate(counts)}
    words = sorted(counts, key=lambda word: (counts[word], -place[word]))
    return " ".join([str(year), *words] if year is not None and words else words)


def phrase_tags(categories: Iterable[str]) -> str:
    """Return `categories`, each once."""
    return ", ".join(dict.fromkeys(" ".join(name.lower().split()) for name in categories))


def _words(category: str) -> list[str]:
    text = category.lower().replace(*AWARDED)
    place = PLACE.search(text)
    decades = DECADE.findall(place[0]) if place else []
    kept = CREDIT.sub("", PLACE.sub("", text))
    words = [word for part in kept.split() if (word := part.strip(EDGES)) and word not in STOP_WORDS]
    return [word for word in words if not YEAR.fullmatch(word)] + decades
