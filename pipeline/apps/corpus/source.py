"""Sources of films: a file of URLs, a CSV of pages and recordings, a wiki."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from pipeline.apps.corpus.listing import Wanted
from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import EXPECTED, KNOWN, OTHER_NAMES, Problem, is_web, read_entry, short, unused_fields
from pipeline.corpus.film import ORIGIN
from pipeline.corpus.forms import SEPARATORS, rows_in

TABLES = (".csv", ".tsv")  # endings of files with a header; other files have one if their first line names the page
PLAIN_NAMES = {"wikipedia": "page", "soundtrack": "recordings"}  # of columns, besides those of a list
PAGES = ("page", "wikipedia", *(name for name, own in OTHER_NAMES.items() if own == "wikipedia"))
ANY_ID = "AAA"  # to read an entry that has no id yet

Lines = list[tuple[int, Wanted]]


def read_wanted(name: str, standard_input: BinaryIO) -> tuple[Lines, list[str]]:
    """Return the films in the file `name`, or in `standard_input` for `-`, by line from 1, and the unused columns.

    The file has one URL per line, or is a CSV with a header that names the page's column. Raises `CorpusError` if it
    is not text, or a CSV without that column.
    """
    try:
        data = standard_input.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{name} cannot be read as UTF-8 text: {error}") from None
    if name.endswith(TABLES) or _names_page(text.partition("\n")[0]):
        return _of_table(text, name)
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, Wanted(line)) for number, line in lines if line and not line.startswith("#")], []


def wanted(url: str, recordings: list[str]) -> Wanted:
    """Return the film at `url` with its `recordings`; none: those that a search finds."""
    if not recordings:
        return Wanted(url)
    return _of_entry({"wikipedia": url, "soundtrack": recordings}, {}, "")


def site_of(text: str) -> str:
    """Return scheme and host of a wiki's URL; raise `CorpusError` if `text` has more, or less."""
    parts = urlsplit(text) if is_web(text) and not text.startswith(ORIGIN) else None
    if parts is None or parts.path.strip("/") or parts.query or parts.fragment:
        raise CorpusError(f"--site: found {short(text)}, expected the URL of a wiki: https://en.wikipedia.org")
    return f"{parts.scheme}://{parts.netloc}"


def _names_page(header: str) -> bool:
    return any(cell.strip().strip('"') in PAGES for mark in SEPARATORS for cell in header.split(mark))


def _of_table(text: str, name: str) -> tuple[Lines, list[str]]:
    rows = rows_in(text, name)
    header = list(dict.fromkeys(column for _, row in rows for column in row))
    known = {OTHER_NAMES.get(column, column) for column in header}
    names = {own: column for own, column in PLAIN_NAMES.items() if own not in known and column in header}
    if rows and "wikipedia" not in known | names.keys():
        found = ", ".join(map(short, header))
        raise CorpusError(f"{name}: no column with the URL of the page: found {found}, allowed are {', '.join(PAGES)}")
    unused = unused_fields((row for _, row in rows), {*KNOWN, *names.values()})
    return [(line, _of_entry(row, names, "column ")) for line, row in rows], unused


def _of_entry(entry: Mapping[str, Any], names: Mapping[str, str], label: str) -> Wanted:
    reading = read_entry(ANY_ID, entry, names, foreign=True)
    values = dict(reading.values)
    url = values.pop("wikipedia", "")
    return Wanted(url, values=values, problem="; ".join(_shown(problem, names, label) for problem in reading.problems))


def _shown(problem: Problem, names: Mapping[str, str], label: str) -> str:
    if not problem.field:
        return problem.what
    if problem.found:
        return f"{label}{problem.field}: found {problem.found}, {problem.what}"
    return f"{label}{names.get(problem.field, problem.field)}: found no value, expected {EXPECTED[problem.field]}"
