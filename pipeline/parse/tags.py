"""A film's tags, made of its visible categories by one of two rules. Categories of maintenance give none.

`words`: the words of all categories, most common last, after the year of release.

    1985 national united states … teen school high comedy-drama coming-of-age english-language 1980s american

The rule follows the reference's published tags of 7,771 films. Each category gives its words in lower case, split at
spaces only, so that `english-language` and `comedy-drama` stay whole. Stop words go: those of grammar (but `about`
stays, as there), those that every film has, the verbs of credits, and what is left of the names of awards and studios.
So does what its 852 words never hold: names of people (`directed by …`), places of story and filming (`set in …`,
`shot in …`; decades stay), and years other than the release. A word occurs once. Words stand by the number of
categories that hold them, rarest first, and at equal number in reverse order of the page.

The reference also took the words of hidden maintenance categories (`Use Indian English from …`) and dropped words that
are rare in its whole corpus. We do neither: the first says nothing on the film, the second would let other films
change a film's tags.

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
AWARDED = ("award–winning", "award-winning")  # Wikipedia writes either; the second is the reference's
EVERY_FILM = """adapted articles best bros characters directed distributed edited feature features filmed films pages
    performance performances pictures produced productions released scored screenplay screenplays set shot stories story
    studios themes winners written"""
STOP_WORDS = frozenset(f"{GRAMMAR} {EVERY_FILM} {NAMES}".split())


def tags_of(categories: Iterable[str], year: int | None, rule: Literal["words", "categories"]) -> str:
    """Return the tags, separated by single spaces or by ", "; "" when no category gives one."""
    topics = [name for name in categories if not is_maintenance(name)]
    return word_tags(topics, year) if rule == "words" else phrase_tags(topics)


def word_tags(categories: Iterable[str], year: int | None) -> str:
    """Return the words of `categories` after `year`, each once."""
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
