"""A corpus's films, read and checked whole."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import film_of, problems_of, short
from pipeline.corpus.film import Film
from pipeline.corpus.layout import films_of_layout, reference_layout


def load_films(folder: Path, search: str) -> list[Film]:
    """Return the films of `folder` by id; raise `CorpusError` naming every film and field that is wrong.

    `search` is the template of `corpus.search`: a film that names no soundtrack gets the search that it makes.
    """
    place = reference_layout(folder)
    if place is not None:
        return films_of_layout(place)
    path = folder / "meta.json"
    try:
        raw = read_list(path.read_text(encoding="utf-8-sig"), path)
    except FileNotFoundError:
        raise CorpusError(
            f"{path} is missing: let corpus.folder in params.yaml name the corpus, "
            "or make a list with `python -m pipeline corpus add URL`"
        ) from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    if not raw:
        raise CorpusError(f"{path} lists no film")
    return [film_of(fid, raw[fid], search) for fid in sorted(raw)]


def read_list(text: str, path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries in `text`, which may be none; raise `CorpusError` naming all that is wrong in `path`."""
    try:
        raw = json.loads(text, object_pairs_hook=_unique_keys)
    except _RepeatedKey as error:
        raise CorpusError(
            f"{path}: {error} occurs twice: give each film its own id, and name each field once"
        ) from None
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise CorpusError(f'{path} must hold an object {{"AAA": {{…}}, …}}, found a {type(raw).__name__}')
    problems = [f"{path}: {problem}" for fid, entry in raw.items() for problem in problems_of(fid, entry)]
    if problems:
        raise CorpusError("\n".join(problems))
    return raw


class _RepeatedKey(Exception):
    pass


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _RepeatedKey(short(next(key for key, count in counts.items() if count > 1)))
    return result
