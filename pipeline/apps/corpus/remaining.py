"""The part of a list that has not been fetched."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core import corpora
from pipeline.core.errors import MissingFileError
from pipeline.core.tables import DOWNLOADS, PAGES, read_table
from pipeline.corpus.film import Film
from pipeline.corpus.title import article_address

ASKED_AGAIN = ("transient", "blocked")  # statuses of recordings that the next run tries again; others are final


def remaining(root: Path, corpus: str, films: list[Film], retry: str | None) -> list[Film]:
    """Return `films` without what `scrape` has fetched, and the recordings that `download` has fetched or given up on.

    `corpus` is the folder of their list; its fetched files may be set aside. `retry` is the status of recordings that
    `download.retry` tries again.
    """
    fetched = _rows(corpora.path_of(root, corpus, corpora.PAGES, Path("data/pages.parquet")), PAGES)
    pages = {(row["fid"], row["url"]): row for row in fetched if row["status"] == "ok"}
    downloads = _rows(corpora.path_of(root, corpus, corpora.RECORDINGS, Path("data/downloads.parquet")), DOWNLOADS)
    asked = {(row["fid"], row["url"]) for row in downloads}
    again = {(row["fid"], row["url"]) for row in downloads if row["status"] in (*ASKED_AGAIN, retry)}
    return [_left(film, pages.get((film.fid, article_address(film.wikipedia))), asked - again) for film in films]


def _left(film: Film, page: dict[str, Any] | None, settled: set[tuple[str, str]]) -> Film:
    soundtrack = tuple(url for url in film.soundtrack if (film.fid, url) not in settled)
    if page is None:
        return replace(film, soundtrack=soundtrack)
    here = page["poster_status"] in ("ok", "none") and film.image in (None, page["poster_url"])
    return replace(film, wikipedia="", soundtrack=soundtrack, image=None if here else film.image or page["poster_url"])


def _rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    try:
        return read_table(path, schema, path.stem)
    except MissingFileError:  # nothing fetched yet, or by another version
        return []
