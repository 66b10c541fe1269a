"""Find films and albums by id or title, and suggest similar names.

Titles match in any case. If there is no match, accents, punctuation, spaces and a leading article are ignored, and a
year may follow: `Haxan` and `Haxan (1922)` find `Häxan`, unless there is a film `Haxan`.

Comparing two names character by character is slow, so only a bounded number of candidates is compared: those with most
characters in common, counted for all names at once. This count is the quick ratio of `difflib`, an upper bound of the
ratio.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property

import numpy as np

COMPARED = 100  # names compared character by character
COMPARED_CHARS = 100  # of each of them
SIMILAR = 3  # suggestions
LEAST = 0.6  # minimum similarity, of 1
BUCKETS = 64  # of the character counts
ACCENTS = re.compile("[\u0300-\u036f]")  # of Latin, Greek and Cyrillic; marks of other scripts count as letters
STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "þ": "th"})
ARTICLE = re.compile(r"^(a|an|the|der|die|das|ein|eine|le|la|les|l|un|une|el|los|las|il|lo|gli|i|den|det|en|ett) ")


class FilmNames:
    """Films and albums by name; one may have several names, and a name may belong to several."""

    def __init__(self, films: Iterable[tuple[int, str, str, int | None]]) -> None:
        """Take the number, id, title and year of each; empty ids and titles are ignored."""
        self._numbers: dict[str, tuple[int, ...]] = {}
        self._titles: list[tuple[int, str, int | None]] = []
        for number, fid, title, year in films:
            for name in {fid, compared(title)} - {""}:
                self._numbers[name] = (*self._numbers.get(name, ()), number)
            self._titles.append((number, title, year))

    def find(self, name: str) -> tuple[int, ...]:
        """Return the numbers of those named `name`, or else of all whose `folded` titles match."""
        return self._numbers.get(name) or self._numbers.get(compared(name)) or self._folded.get(folded(name), ())

    def similar(self, name: str) -> list[str]:
        """Return a few names similar to `name`, most similar first."""
        asked = compared(name)[:COMPARED_CHARS]
        names, counts = self._counted
        shared = np.minimum(counts, _letters([asked])).sum(axis=1, dtype=np.int64)
        bounds = 2 * shared / (counts.sum(axis=1, dtype=np.int64) + max(len(asked), 1))
        best = np.argsort(-bounds, kind="stable")[:COMPARED]
        return difflib.get_close_matches(asked, [names[place] for place in best], SIMILAR, LEAST)

    @cached_property
    def _folded(self) -> dict[str, tuple[int, ...]]:
        """The numbers of films and albums by `folded` title, with and without the year."""
        found: dict[str, tuple[int, ...]] = {}
        for number, title, year in self._titles:
            if name := folded(title):
                for called in (name,) if year is None else (name, f"{name}{year}"):
                    found[called] = (*found.get(called, ()), number)
        return found

    @cached_property
    def _counted(self) -> tuple[list[str], np.ndarray]:
        """The names, cut to `COMPARED_CHARS`, and their character counts, uint8 [names, BUCKETS]."""
        names = [name[:COMPARED_CHARS] for name in self._numbers]
        return names, _letters(names)


def compared(title: str) -> str:
    """Return a title normalized for comparison: NFC and case-folded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).casefold())


def folded(title: str) -> str:
    """Return only the letters and digits of a title, case-folded, without accents and a leading article."""
    apart = unicodedata.normalize("NFKD", compared(title)).translate(STROKES)
    spaced = (c if unicodedata.category(c)[0] in "LMN" else " " for c in ACCENTS.sub("", apart))
    return ARTICLE.sub("", " ".join("".join(spaced).split())).replace(" ", "")


def _letters(names: list[str]) -> np.ndarray:
    """Return the number of characters of each bucket in each of `names`, uint8 [names, BUCKETS]."""
    counts = np.zeros((len(names), BUCKETS), np.uint8)
    codes = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), np.uint32)
    owners = np.repeat(np.arange(len(names)), [len(name) for name in names])
    np.add.at(counts, (owners, codes % BUCKETS), 1)
    return counts
