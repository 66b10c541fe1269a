"""Extract films from the saved pages: title, year, tags, plot and a poster of fixed shorter side.

Reads: <corpus.folder>/meta.json, data/pages.parquet, data/pages/, data/posters/
Writes: data/films.parquet, data/image/AAA.jpg
Run: dvc repro parse
"""

import logging
from pathlib import Path

from pipeline.core.machine import Machine
from pipeline.core.stage import launch
from pipeline.core.tables import FILMS, PAGES, count_by_status, read_table, require_success, write_table
from pipeline.corpus import load_films
from pipeline.corpus.section import Corpus
from pipeline.parse.films import parse_films
from pipeline.parse.section import Parse

log = logging.getLogger(__name__)


def main(root: Path, corpus: Corpus, parse: Parse, machine: Machine) -> None:
    films = load_films(root / corpus.folder, corpus.search, corpus.fields)
    pages = read_table(root / "data/pages.parquet", PAGES, "scrape")
    rows = parse_films(root, films, pages, parse, machine.processes)
    write_table(root / "data/films.parquet", rows, FILMS)
    log.info("films: %s", count_by_status(rows))
    require_success(rows, parse.min_success_rate, "parse", "films")


if __name__ == "__main__":
    launch(main, {"corpus": Corpus, "parse": Parse, "machine": Machine})
