"""Pick the tracks of an answer: the nearest that pass the filters, one per file and a few per film."""

from collections.abc import Collection, Sequence

import numpy as np

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.search import Search
from pipeline.core.errors import ModelError


def picked(
    index: TrackIndex,
    search: Search,
    vector: np.ndarray,
    k: int,
    passed: np.ndarray | None = None,
    known: Collection[int] = (),
    per_film: int | None = None,
    exclude: Sequence[str] = (),
) -> list[int]:
    """Return the rows of the `k` tracks nearest to `vector` [e] that have `passed`, at most one per file.

    Skips the files of the rows `known` and the films or albums in `exclude`, and returns at most `per_film` tracks per
    film or album. Raises as `excluded_films` does.
    """
    excluded = excluded_films(index, exclude)
    files = {int(index.files[row]) for row in known}
    films: dict[int, int] = {}
    rows: list[int] = []
    for block in search.nearest(vector, passed):
        for row, file, film in zip(block, index.files[block], index.films[block], strict=True):
            most = 0 if film in excluded else per_film
            if file in files or (most is not None and films.get(film, 0) >= most):
                continue
            files.add(file)
            films[film] = films.get(film, 0) + 1
            rows.append(int(row))
            if len(rows) == k:
                return rows
    return rows


def excluded_films(index: TrackIndex, names: Sequence[str]) -> set[int]:
    """Return the numbers (`index.films`) of films and albums given by id or title.

    Raises `ModelError` with similar names for an unknown one.
    """
    found: set[int] = set()
    for name in names:
        numbers = index.film_names.find(name)
        if not numbers:
            near = index.film_names.similar(name)
            advice = f"; similar names: {', '.join(near)}" if near else ""
            raise ModelError(f"exclude: the library has no film or album {name!r}{advice}")
        found.update(numbers)
    return found
