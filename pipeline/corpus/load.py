"""Loading and validation of a corpus's films."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from pipeline.core.errors import CorpusError
from pipeline.core.text import one_line
from pipeline.corpus.entry import KNOWN, MISSING, film_of, grouped, read_entry, short, unused_fields, value_at
from pipeline.corpus.film import Film
from pipeline.corpus.forms import JSON, NAMES, Entries, entries_in, list_file
from pipeline.corpus.layout import TAGS, films_of_layout, reference_layout, tags_in

MAX_NAMES, MAX_NAME = 12, 40  # unused fields in one line, and characters of each
OUR_NAMES: Mapping[str, str] = MappingProxyType({})  # for `corpus.fields`

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FilmList:
    """The films of a corpus by id, and how its list was read."""

    path: Path  # the file, or the folder of a corpus in the reference's layout
    films: list[Film]
    names: dict[str, str] = field(default_factory=dict)  # of the first film: our field to the list's
    notes: list[str] = field(default_factory=list)  # one line each: unused fields, assigned ids


def load_films(folder: Path, search: str, fields: Mapping[str, str] = OUR_NAMES) -> list[Film]:
    """Return the films of `folder` by id, and log the unused parts of its list.

    `search` is the template of `corpus.search`, for films without a soundtrack. `fields` is `corpus.fields`: our field
    names to the list's. Raises `CorpusError` with one line per kind of problem.
    """
    listed = read_corpus(folder, search, fields)
    for note in listed.notes:
        log.info("%s: %s", listed.path, note)
    return listed.films


def read_corpus(folder: Path, search: str, fields: Mapping[str, str] = OUR_NAMES) -> FilmList:
    """Return the films of `folder`, and how its list was read; raise `CorpusError`."""
    place = reference_layout(folder)
    if place is not None:
        films, unused = films_of_layout(place)
        return FilmList(place, films, notes=_unused_line(unused))
    path = list_file(folder) or folder / JSON
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CorpusError(
            f"{path} is missing: set corpus.folder in params.yaml to a folder with a list, "
            f"{', '.join(NAMES)}, or start one with `python -m pipeline corpus add URL`"
        ) from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not {'JSON' if path.name == JSON else 'UTF-8 text'}: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    listed = films_in(text, path, search, fields)
    if not listed.films:
        raise CorpusError(f"{path} lists no films")
    return _with_tags(listed, folder / TAGS) if (folder / TAGS).is_file() else listed


def films_in(text: str, path: Path, search: str, fields: Mapping[str, str]) -> FilmList:
    """Return the films in the `text` of a list, possibly none; raise `CorpusError` with all problems."""
    entries = entries_in(text, path, fields)
    readings = {fid: read_entry(fid, entry, fields, entries.foreign) for fid, entry in entries.by_id.items()}
    notes = _notes(entries, fields)
    lines = grouped(problem for reading in readings.values() for problem in reading.problems)
    if lines:
        if any("missing field" in line for line in lines):
            notes.append("corpus.fields in params.yaml maps our field names to those of your list: {wikipedia: page}")
        raise CorpusError("\n".join(f"{path}: {line}" for line in [*lines, *notes]))
    films = [film_of(fid, readings[fid].values, search) for fid in sorted(readings)]
    names = readings[films[0].fid].names if films else {}
    return FilmList(path, films, names, notes)


def _with_tags(listed: FilmList, path: Path) -> FilmList:
    """Return the films with missing tags from the file that the published repository has beside its list."""
    tags = tags_in(path)
    films = [film if film.tags is not None else replace(film, tags=tags.get(film.fid)) for film in listed.films]
    count = sum(old.tags != new.tags for old, new in zip(listed.films, films, strict=True))
    names = listed.names
    if films[0].tags != listed.films[0].tags:
        names = {**names, "tags": path.name}
    note = f"{count:,} film{' has' if count == 1 else 's have'} tags from {path.name}"
    return replace(listed, films=films, names=names, notes=[*listed.notes, note])


def _notes(entries: Entries, fields: Mapping[str, str]) -> list[str]:
    paths = [*fields.values(), entries.id_name]
    used = {*KNOWN, *paths, *(path.partition(".")[0] for path in paths)}
    notes = [entries.note] if entries.note else []
    for own, path in fields.items():
        if own != "id" and all(value_at(entry, path) is MISSING for entry in entries.by_id.values()):
            notes.append(f"no film has the field {short(path)}, to which corpus.fields maps {own}")
    return [*notes, *_unused_line(unused_fields(entries.by_id.values(), used))]


def _unused_line(names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(one_line(name, MAX_NAME) for name in names[:MAX_NAMES]) + (
        ", …" if len(names) > MAX_NAMES else ""
    )
    return [f"{len(names):,} field{'s' if len(names) > 1 else ''} not used: {shown}"]
