"""Fetch each film's article and its poster, politely; a stopped run resumes.

Reads: <corpus.folder>/meta.json, and the site in the corpus if corpus.serve names one
Writes: data/pages/AAA.html.gz, data/posters/AAA.*, data/pages.parquet
Run: dvc repro scrape
"""

import logging
from pathlib import Path

from pipeline.core import corpora
from pipeline.core.errors import StageError
from pipeline.core.stage import launch
from pipeline.core.tables import PAGES, count_by_status, require_success, write_table
from pipeline.corpus import load_films
from pipeline.corpus.section import Corpus
from pipeline.corpus.site import serving
from pipeline.scrape.agent import operator_contact, require_contact
from pipeline.scrape.client import Client
from pipeline.scrape.films import scrape_films
from pipeline.scrape.section import Scrape

log = logging.getLogger(__name__)


def main(root: Path, corpus: Corpus, scrape: Scrape) -> None:
    folder = root / corpus.folder
    films = load_films(folder, corpus.search, corpus.fields)
    contact = operator_contact(corpus)
    require_contact((url for film in films for url in (film.wikipedia, film.image) if url), contact)
    corpora.take_up(root, corpus.folder, corpora.PAGES)
    with serving(folder, corpus.serve) as site, Client(scrape, contact) as client:
        rows = scrape_films(root, films, scrape, client, site)
    write_table(root / "data/pages.parquet", rows, PAGES)
    log.info("scrape: pages: %s", count_by_status(rows))
    if client.stopped:
        raise StageError(
            f"scrape stopped: {client.stopped}.\nPages: {count_by_status(rows)}. Fetched pages are kept: "
            "once the cause is resolved, run `dvc repro scrape` to resume."
        )
    asked = [row for row in rows if row["status"] != "given"]
    if asked:
        require_success(asked, scrape.min_success_rate, "scrape", "pages")


if __name__ == "__main__":
    launch(main, {"corpus": Corpus, "scrape": Scrape})
