"""Fetch every recording of the corpus and check that it is complete.

Reads: the list of the corpus, its site if served, and soundtrack.lock.json beside the list, if present
Writes: data/downloads/AAA/000.webm, …, data/downloads.parquet, data/soundtrack.lock.json
Run: dvc repro download
"""

import logging
from pathlib import Path

from pipeline.core import corpora
from pipeline.core.stage import launch
from pipeline.core.tables import DOWNLOADS, count_by_status, write_table
from pipeline.corpus import load_films
from pipeline.corpus.section import Corpus
from pipeline.corpus.site import serving
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.lock import Lock
from pipeline.download.recordings import fetch_all, require_answers, require_recordings
from pipeline.download.rows import remove_others, requests_of
from pipeline.download.section import Download

log = logging.getLogger(__name__)


def main(root: Path, corpus: Corpus, download: Download) -> None:
    """Write the recordings and their table; recordings of earlier runs are kept."""
    folder = root / corpus.folder
    requests = requests_of(load_films(folder, corpus.search, corpus.fields))
    corpora.take_up(root, corpus.folder, corpora.RECORDINGS)
    lock = Lock(root, folder)
    lock.write()
    with serving(folder, corpus.serve) as site:
        outcome = fetch_all(root, requests, site, download, lock, CircuitBreaker())
    remove_others(root, outcome.rows)
    write_table(root / "data/downloads.parquet", outcome.rows, DOWNLOADS)
    log.info("download: %s", count_by_status(outcome.rows))
    require_answers(outcome)
    require_recordings(outcome, download.min_success_rate)


if __name__ == "__main__":
    launch(main, {"corpus": Corpus, "download": Download})
