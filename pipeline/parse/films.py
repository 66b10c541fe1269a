"""All films, several at a time."""

from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from tqdm import tqdm

from pipeline.core.errors import StageError
from pipeline.core.workers import map_in_order
from pipeline.corpus import Film
from pipeline.parse.film import IMAGES_FOLDER, Row, film_row
from pipeline.parse.section import Parse


def parse_films(root: Path, films: list[Film], pages: list[Row], parse: Parse, processes: int) -> list[Row]:
    """Return a row a film and write the images; remove the files in their folder that no row names."""
    by_fid = {page["fid"]: page for page in pages}
    items = [(film, by_fid.get(film.fid, {})) for film in films]
    try:
        results = map_in_order(partial(_row, root, parse), items, processes)
        rows = list(tqdm(results, "films", total=len(items), unit="film", disable=None))
    except BrokenProcessPool:
        raise StageError(
            f"parse: a process died, perhaps out of memory; lower machine.processes ({processes})"
        ) from None
    wanted = {row["image"] for row in rows}
    for path in (root / IMAGES_FOLDER).glob("*"):
        if f"{IMAGES_FOLDER}/{path.name}" not in wanted:
            path.unlink()
    return rows


def _row(root: Path, parse: Parse, item: tuple[Film, Row]) -> Row:
    return film_row(root, parse, *item)
