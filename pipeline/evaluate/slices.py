"""Slices of the films, to show differences that an average hides.

decade    of the film's year
language  the words before `-language` in its tags; a film may have several
genre     the words of `evaluate.genres` in its tags; a film may have several
files     its number of own tracks
missing   inputs replaced by a placeholder (`parse.missing`)

Films with unknown values are in `not stated`. Values with too few films are merged into `others`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]

FILES = ((1, "1"), (4, "2–4"), (9, "5–9"))  # upper limit, name
MANY_FILES = "10 or more"
UNKNOWN, OTHERS, NOTHING = "not stated", "others", "nothing"
PLACEHOLDERS = ("image", "tags", "plot")  # fields of films.parquet
LANGUAGE = re.compile(r"([^\W\d_]+)-language\b", re.IGNORECASE)


def slices_of(
    tracks: Sequence[Sequence[Row]], films: Mapping[str, Row], genres: Sequence[str], at_least: int
) -> dict[str, dict[str, np.ndarray]]:
    """Return the numbers of the films in each slice by dimension and value, int64.

    `tracks` are each film's rows of the data set, `films` the rows of films.parquet by fid.
    """
    dimensions: dict[str, Callable[[Sequence[Row]], list[str]]] = {
        "decade": lambda of_film: [decade(of_film[0]["year"])],
        "language": lambda of_film: languages(of_film[0]["tags"]),
        "genre": lambda of_film: found_genres(of_film[0]["tags"], genres),
        "files": lambda of_film: [files(len(of_film))],
        "missing": lambda of_film: missing(films.get(of_film[0]["fid"])),
    }
    return {name: _grouped([values(of_film) for of_film in tracks], at_least) for name, values in dimensions.items()}


def decade(year: int | None) -> str:
    """Return e.g. `1920s`."""
    return UNKNOWN if year is None else f"{year // 10 * 10}s"


def languages(tags: str) -> list[str]:
    """Return the languages in `tags`, e.g. `Tamil` for `tamil-language`, in alphabetical order."""
    return sorted({match.capitalize() for match in LANGUAGE.findall(tags)}) or [UNKNOWN]


def found_genres(tags: str, genres: Iterable[str]) -> list[str]:
    """Return those of `genres` that are whole words in `tags`; `drama` is not in `comedy-drama`."""
    return [word for word in genres if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", tags, re.IGNORECASE)] or [
        UNKNOWN
    ]


def files(number: int) -> str:
    """Return the slice of a number of tracks, e.g. `2–4`."""
    return next((name for most, name in FILES if number <= most), MANY_FILES)


def missing(film: Row | None) -> list[str]:
    """Return the fields of a row of films.parquet that are placeholders."""
    if film is None:
        return [UNKNOWN]
    return [field for field in PLACEHOLDERS if field in film["placeholders"]] or [NOTHING]


def _grouped(values: list[list[str]], at_least: int) -> dict[str, np.ndarray]:
    members: dict[str, list[int]] = {}
    for number, of_film in enumerate(values):
        for value in of_film:
            members.setdefault(value, []).append(number)
    small = {value for value, numbers in members.items() if len(numbers) < at_least}
    if len(small) > 1:
        rest = sorted({number for value in small for number in members.pop(value)})
        members = {**members, OTHERS: rest}
    order = sorted(members, key=lambda value: (value in (UNKNOWN, OTHERS), _natural(value)))
    return {value: np.array(members[value], np.int64) for value in order}


def _natural(value: str) -> tuple[int, str]:
    digits = re.match(r"\d+", value)
    return (int(digits.group()) if digits else -1, value)
