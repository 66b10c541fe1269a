"""Parsing of all films in parallel."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from pipeline.core.workers import ATTEMPTS, map_in_order
from pipeline.corpus import Film
from pipeline.parse.film import IMAGES_FOLDER, Row, film_row
from pipeline.parse.section import Parse


def parse_films(root: Path, films: list[Film], pages: list[Row], parse: Parse, processes: int) -> list[Row]:
    """Return one row per film and write the images; remove other files from their folder."""
    by_fid = {page["fid"]: page for page in pages}
    items = [(film, by_fid.get(film.fid, {})) for film in films]
    results = map_in_order(partial(_row, root, parse), items, processes, on_death=partial(_given_up, root, parse))
    rows = list(tqdm(results, "films", total=len(items), unit="film", disable=None))
    wanted = {row["image"] for row in rows}
    for path in (root / IMAGES_FOLDER).glob("*"):
        if f"{IMAGES_FOLDER}/{path.name}" not in wanted:
            path.unlink()
    return rows


def _row(root: Path, parse: Parse, item: tuple[Film, Row]) -> Row:
    return film_row(root, parse, *item)


def _given_up(root: Path, parse: Parse, item: tuple[Film, Row]) -> Row:
    """Return the row of a film whose page kills processes: the values of the corpus, without the page."""
    reason = f"a process died {ATTEMPTS} times on its page, possibly out of memory: lower machine.processes"
    return film_row(root, parse, item[0], {}) | {"status": "crashed", "reason": reason}
