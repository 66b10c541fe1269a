"""Fetch every recording that the corpus names and check that it is whole.

Reads: meta.json of the corpus, and its site when it is served
Writes: data/downloads/AAA/000.webm, …, data/downloads.parquet
Run: dvc repro download
"""

import logging
from pathlib import Path

from pipeline.corpus import load_films
from pipeline.download.fetch import fetch_all
from pipeline.download.rows import FOLDER, remove_others, requests_of
from pipeline.sections import Corpus, Download
from pipeline.serve import serving
from pipeline.stage import launch
from pipeline.tables import DOWNLOADS, count_by_status, require_success, write_table

log = logging.getLogger(__name__)


def main(root: Path, corpus: Corpus, download: Download) -> None:
    """Write the recordings and their table; what an earlier run fetched is kept."""
    folder = root / corpus.folder
    requests = requests_of(load_films(folder))
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    with serving(folder, corpus.serve) as origin:
        rows = fetch_all(root, requests, origin, download)
    remove_others(root, rows)
    write_table(root / "data/downloads.parquet", rows, DOWNLOADS)
    log.info("download: %s", count_by_status(rows))
    require_success(rows, download.min_success_rate, "download", "URLs")


if __name__ == "__main__":
    launch(lambda root, params: main(root, params.corpus, params.download))
