"""Films and albums by their ids and titles, and the names most like one that is not among them.

A title is found in any case; where there is none, without its accents, marks and spaces, and without an article before
it; a year may follow. So `Haxan` and `Haxan (1922)` are `Häxan`, unless one is called `Haxan`.

Comparing two names letter by letter is slow, so that is done for a bounded number of them: those that have most letters
in common with the name in question. These are counted for all names at once, and what is counted is what `difflib`
calls the quick ratio: never less than the ratio itself.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property

import numpy as np

COMPARED = 100  # names that are compared letter by letter
COMPARED_CHARS = 100  # of each of them
SIMILAR = 3  # names that are suggested
LEAST = 0.6  # of 1, how similar they are
BUCKETS = 64  # in which letters are counted
ACCENTS = re.compile("[\u0300-\u036f]")  # of Latin, Greek and Cyrillic letters; marks of other scripts are letters
STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "þ": "th"})
ARTICLE = re.compile(r"^(a|an|the|der|die|das|ein|eine|le|la|les|l|un|une|el|los|las|il|lo|gli|i|den|det|en|ett) ")


class FilmNames:
    """Films and albums, each of which may go by several names, and several by one."""

    def __init__(self, films: Iterable[tuple[int, str, str, int | None]]) -> None:
        """Take the number, id, title and year of each; an id or title that is empty is none."""
        self._numbers: dict[str, tuple[int, ...]] = {}
        self._titles: list[tuple[int, str, int | None]] = []
        for number, fid, title, year in films:
            for name in {fid, compared(title)} - {""}:
                self._numbers[name] = (*self._numbers.get(name, ()), number)
            self._titles.append((number, title, year))

    def find(self, name: str) -> tuple[int, ...]:
        """Return the numbers of those called `name`, or else of all whose titles are the same when `folded`."""
        return self._numbers.get(name) or self._numbers.get(compared(name)) or self._folded.get(folded(name), ())

    def similar(self, name: str) -> list[str]:
        """Return a few names that are like `name`, the most similar first."""
        asked = compared(name)[:COMPARED_CHARS]
        names, counts = self._counted
        shared = np.minimum(counts, _letters([asked])).sum(axis=1, dtype=np.int64)
        bounds = 2 * shared / (counts.sum(axis=1, dtype=np.int64) + max(len(asked), 1))
        best = np.argsort(-bounds, kind="stable")[:COMPARED]
        return difflib.get_close_matches(asked, [names[place] for place in best], SIMILAR, LEAST)

    @cached_property
    def _folded(self) -> dict[str, tuple[int, ...]]:
        """The numbers of films and albums by their titles, alone and with the year, when `folded`."""
        found: dict[str, tuple[int, ...]] = {}
        for number, title, year in self._titles:
            if name := folded(title):
                for called in (name,) if year is None else (name, f"{name}{year}"):
                    found[called] = (*found.get(called, ()), number)
        return found

    @cached_property
    def _counted(self) -> tuple[list[str], np.ndarray]:
        """The names, cut to what is compared, and the letters of each, uint8 [names, BUCKETS]."""
        names = [name[:COMPARED_CHARS] for name in self._numbers]
        return names, _letters(names)


def compared(title: str) -> str:
    """Return a title in the form in which titles are compared: composed, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).casefold())


def folded(title: str) -> str:
    """Return the letters and digits of a title, without case, accents and a leading article."""
    apart = unicodedata.normalize("NFKD", compared(title)).translate(STROKES)
    spaced = (c if unicodedata.category(c)[0] in "LMN" else " " for c in ACCENTS.sub("", apart))
    return ARTICLE.sub("", " ".join("".join(spaced).split())).replace(" ", "")


def _letters(names: list[str]) -> np.ndarray:
    """Return how often letters of each bucket stand in each of `names`, uint8 [names, BUCKETS]."""
    counts = np.zeros((len(names), BUCKETS), np.uint8)
    codes = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), np.uint32)
    owners = np.repeat(np.arange(len(names)), [len(name) for name in names])
    np.add.at(counts, (owners, codes % BUCKETS), 1)
    return counts
