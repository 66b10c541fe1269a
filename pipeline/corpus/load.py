"""A corpus's films, read and checked whole."""

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

MAX_NAMES, MAX_NAME = 12, 40  # fields that are not used, and characters of each, in one line
OUR_NAMES: Mapping[str, str] = MappingProxyType({})  # for `corpus.fields`

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FilmList:
    """The films of a corpus by id, and how its list was understood."""

    path: Path  # the file, or the folder of a corpus in the reference's layout
    films: list[Film]
    names: dict[str, str] = field(default_factory=dict)  # of the first film: our field to theirs
    notes: list[str] = field(default_factory=list)  # a line each: fields that are not used, ids that were given


def load_films(folder: Path, search: str, fields: Mapping[str, str] = OUR_NAMES) -> list[Film]:
    """Return the films of `folder` by id, and log what of its list is not used.

    `search` is the template of `corpus.search`: a film that names no soundtrack gets the search that it makes. `fields`
    is `corpus.fields`: our names of fields to theirs. Raises `CorpusError` with a line for each kind of problem.
    """
    listed = read_corpus(folder, search, fields)
    for note in listed.notes:
        log.info("%s: %s", listed.path, note)
    return listed.films


def read_corpus(folder: Path, search: str, fields: Mapping[str, str] = OUR_NAMES) -> FilmList:
    """Return the films of `folder`, and how its list was understood; raise `CorpusError`."""
    place = reference_layout(folder)
    if place is not None:
        films, unused = films_of_layout(place)
        return FilmList(place, films, notes=_unused_line(unused))
    path = list_file(folder) or folder / JSON
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CorpusError(
            f"{path} is missing: let corpus.folder in params.yaml name the corpus, with its list as "
            f"{', '.join(NAMES)}, or make one with `python -m pipeline corpus add URL`"
        ) from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not {'JSON' if path.name == JSON else 'text in UTF-8'}: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    listed = films_in(text, path, search, fields)
    if not listed.films:
        raise CorpusError(f"{path} lists no film")
    return _with_tags(listed, folder / TAGS) if (folder / TAGS).is_file() else listed


def films_in(text: str, path: Path, search: str, fields: Mapping[str, str]) -> FilmList:
    """Return the films in the `text` of a list, which may be none; raise `CorpusError` naming all that is wrong."""
    entries = entries_in(text, path, fields)
    readings = {fid: read_entry(fid, entry, fields, entries.foreign) for fid, entry in entries.by_id.items()}
    notes = _notes(entries, fields)
    lines = grouped(problem for reading in readings.values() for problem in reading.problems)
    if lines:
        if any("missing field" in line for line in lines):
            notes.append("corpus.fields in params.yaml says what your list calls a field: {wikipedia: page}")
        raise CorpusError("\n".join(f"{path}: {line}" for line in [*lines, *notes]))
    films = [film_of(fid, readings[fid].values, search) for fid in sorted(readings)]
    names = readings[films[0].fid].names if films else {}
    return FilmList(path, films, names, notes)


def _with_tags(listed: FilmList, path: Path) -> FilmList:
    """Return the films with the tags that the published repository keeps beside its list, where the list gives none."""
    tags = tags_in(path)
    films = [film if film.tags is not None else replace(film, tags=tags.get(film.fid)) for film in listed.films]
    count = sum(old.tags != new.tags for old, new in zip(listed.films, films, strict=True))
    names = listed.names
    if films[0].tags != listed.films[0].tags:
        names = {**names, "tags": path.name}
    note = f"{count:,} film{' has' if count == 1 else 's have'} tags of {path.name}"
    return replace(listed, films=films, names=names, notes=[*listed.notes, note])


def _notes(entries: Entries, fields: Mapping[str, str]) -> list[str]:
    paths = [*fields.values(), entries.id_name]
    used = {*KNOWN, *paths, *(path.partition(".")[0] for path in paths)}
    notes = [entries.note] if entries.note else []
    for own, path in fields.items():
        if own != "id" and all(value_at(entry, path) is MISSING for entry in entries.by_id.values()):
            notes.append(f"no film has the field {short(path)}, which corpus.fields names for {own}")
    return [*notes, *_unused_line(unused_fields(entries.by_id.values(), used))]


def _unused_line(names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(one_line(name, MAX_NAME) for name in names[:MAX_NAMES]) + (
        ", …" if len(names) > MAX_NAMES else ""
    )
    return [f"{len(names):,} field{'s' if len(names) > 1 else ''} not used: {shown}"]
