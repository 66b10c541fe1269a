"""Pages and posters of all films, one row per film; a stopped run resumes."""

from pathlib import Path

from tqdm import tqdm

from pipeline.corpus import Film
from pipeline.corpus.site import Site
from pipeline.scrape.client import Client
from pipeline.scrape.image import poster_row
from pipeline.scrape.page import page_row
from pipeline.scrape.section import Scrape
from pipeline.scrape.state import BY_PARAMETERS, COLUMNS, Row, Run, sweep


def scrape_films(root: Path, films: list[Film], scrape: Scrape, client: Client, site: Site) -> list[Row]:
    """Fetch missing pages and posters and return one row per film; remove the files of films not in `films`.

    If `client` stops, the remaining films have the status `not_asked`.
    """
    run = Run(root, scrape, client, site, sweep(root, {film.fid for film in films}))
    return [_film_row(film, run) for film in tqdm(films, "pages", unit="film", disable=None)]


def _film_row(film: Film, run: Run) -> Row:
    before = run.ledger.read(film.fid) or {}
    page = page_row(film, before, run)
    poster = poster_row(film, page, before, run)
    refused = BY_PARAMETERS & {page["status"], poster["poster_status"]}
    values = {"fid": film.fid} | page | poster | {"limits": run.limits if refused else ""}
    row = {name: values[name] for name in COLUMNS}
    if row != before:
        run.ledger.write(film.fid, row)
    return row
