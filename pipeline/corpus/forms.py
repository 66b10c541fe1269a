"""The forms of a list: its file, and its entries by id.

    meta.json     {"AAA": {…}, "AAB": {…}}: ours; or an array [{"id": "AAA", …}, …]
    meta.jsonl    one object per line, as in the array
    meta.csv      a header and one row per film, in UTF-8; the columns are separated by commas, semicolons or tabs

A corpus has exactly one of them. In an array, ids are in the field named by `corpus.fields.id`, else in one of
`ID_NAMES`; if no film has a valid id there, ids are assigned in order: AAA, AAB, ….
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import BAD_ID, MISSING, Problem, grouped, short, shown_name, value_at
from pipeline.corpus.film import FID

JSON, JSON_LINES, CSV = NAMES = ("meta.json", "meta.jsonl", "meta.csv")
ID_NAMES = ("id", "fid", "film_id")
SEPARATORS = (",", ";", "\t")
NUMBER_OF_IDS = len(ascii_uppercase) ** 3


@dataclass(frozen=True)
class Entries:
    """The entries of a list by id, not yet checked."""

    by_id: dict[str, Any]
    foreign: bool  # of a form other than ours
    note: str = ""  # about the ids
    id_name: str = ""  # the field with the ids


def list_file(folder: Path) -> Path | None:
    """Return the file of `folder` that lists its films, None if there is none; raise `CorpusError` if there are two."""
    found = [folder / name for name in NAMES if (folder / name).exists()]
    if len(found) > 1:
        raise CorpusError(f"{folder} contains {' and '.join(path.name for path in found)}: keep one of them")
    return found[0] if found else None


def entries_in(text: str, path: Path, fields: Mapping[str, str]) -> Entries:
    """Return the entries in `text`, of the form given by the name of `path`; raise `CorpusError` if it is not valid."""
    if path.name == CSV:
        return _numbered([row for _, row in rows_in(text, str(path))], path, fields)
    if path.name == JSON_LINES:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        return _numbered([_json(line, f"{path}, line {number}") for number, line in lines], path, fields)
    raw = _json(text, str(path))
    if isinstance(raw, list):
        return _numbered(raw, path, fields)
    if not isinstance(raw, dict):
        raise CorpusError(f'{path} must contain an object {{"AAA": {{…}}, …}} or an array, found {type(raw).__name__}')
    return Entries(raw, foreign=False)


def rows_in(text: str, place: str) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV by the names in its header, each with the number of its last line.

    Raises `CorpusError` if `text` is not CSV; `place` is its file, for the message.
    """
    header = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names = next(reader, [])
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise CorpusError(f"{place}, line {reader.line_num}: not CSV: {error}") from None
    names = [name.strip() for name in names]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise CorpusError(f"{place}: {_twice(twice[0])}")
    for number, row in rows:
        if len(row) > len(names):
            raise CorpusError(f"{place}, line {number}: {len(row)} cells, but {len(names)} names in the header")
    return [(number, dict(zip(names, row, strict=False))) for number, row in rows]


def _numbered(items: list[Any], path: Path, fields: Mapping[str, str]) -> Entries:
    """Return the items of an array by their ids; assigned in order if they have none."""
    name = fields.get("id") or next((name for name in ID_NAMES if any(_value(item, name) for item in items)), "")
    ids = [_value(item, name) for item in items] if name else []
    good = [isinstance(fid, str) and FID.fullmatch(fid) is not None for fid in ids]
    if any(good) or "id" in fields:
        wrong = [
            Problem(f"film {number}", shown_name(name), short(fid), BAD_ID)
            for number, (fid, is_good) in enumerate(zip(ids, good, strict=True), start=1)
            if not is_good
        ]
        if wrong:
            raise CorpusError("\n".join(f"{path}: {line}" for line in grouped(wrong)))
        twice = [fid for fid, count in Counter(ids).items() if count > 1]
        if twice:
            raise CorpusError(f"{path}: {_twice(twice[0])}")
        return Entries(dict(zip(ids, items, strict=True)), foreign=True, id_name=name)
    if len(items) > NUMBER_OF_IDS:
        raise CorpusError(f"{path} lists {len(items):,} films: at most {NUMBER_OF_IDS:,} are allowed")
    given = map("".join, product(ascii_uppercase, repeat=3))
    what = f"`{shown_name(name)}` is never three capital letters" if name else "the list has none"
    note = f"ids are assigned in order, AAA, AAB, … ({what}): append new films to keep the ids of the others"
    return Entries(dict(zip(given, items, strict=False)), foreign=True, note=note, id_name=name)


def _value(item: Any, name: str) -> Any:
    value = value_at(item, name) if isinstance(item, dict) else MISSING
    return None if value is MISSING else value


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except _RepeatedKey as error:
        raise CorpusError(f"{place}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place} is not JSON: {error}") from None


class _RepeatedKey(Exception):
    pass


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _RepeatedKey(_twice(next(key for key, count in counts.items() if count > 1)))
    return result


def _twice(name: str) -> str:
    return f"{short(name)} occurs twice: ids and field names must be unique"
