"""The state of a run: its parameters, the existing files and the rows of earlier runs.

    data/pages/AAA.html.gz   the received page, compressed
    data/pages/AAA.json      its row, written last: an interrupted film has none and is fetched again
    data/posters/AAA.jpg

A row has the columns of `PAGES` and those that only the next run needs: `shown` and `shown_page`, the poster of the
infobox even if `meta.json` has another; `poster_last_modified`; `limits`, the parameters under which a page or poster
was refused. File names consist of ids only.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.core.ledger import Ledger
from pipeline.core.tables import PAGES
from pipeline.corpus.site import Site
from pipeline.scrape.client import PASSING, Client
from pipeline.scrape.section import Scrape

NEXT_RUN = PASSING | {"forbidden", "no_contact", "not_asked"}  # retried in the next run
BY_PARAMETERS = frozenset({"too_large", "bad_redirect", "host_not_allowed"})  # retried when the limits have changed
PAGES_FOLDER = "data/pages"
POSTERS_FOLDER = "data/posters"
OURS = re.compile(r"(?P<fid>[A-Z]{3})\.(html\.gz|jpg|png|gif|webp)|\.part-.*")
COLUMNS = (*PAGES.names, "poster_last_modified", "shown", "shown_page", "limits")
POSTER_COLUMNS = tuple(name for name in COLUMNS if name.startswith("poster_"))
PAGE_COLUMNS = tuple(name for name in COLUMNS if name not in ("fid", *POSTER_COLUMNS, "limits"))

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run; `files` are the paths, relative to `root`, of the pages and posters that existed at its start."""

    root: Path
    scrape: Scrape
    client: Client
    site: Site
    files: frozenset[str]

    @property
    def limits(self) -> str:
        """The parameters that limit pages and posters."""
        scrape = self.scrape
        return f"{scrape.max_page_bytes} {scrape.max_poster_bytes} {' '.join(sorted(scrape.poster_hosts))}"

    @property
    def ledger(self) -> Ledger:
        """The rows by film."""
        return ledger_of(self.root)

    def plan(self, url: str, status: str, path: str, sha256: str, limits: str) -> Literal["keep", "ask", "revalidate"]:
        """Return the action for `url`, given the state left by an earlier run.

        Files that the corpus itself serves are compared with the disk, because they may have been edited.
        """
        here = status == "ok" and path in self.files
        if self.site.serves(url):
            return "keep" if here and self.site.sha256(url) == sha256 else "ask"
        if here:
            return "revalidate" if self.scrape.refresh else "keep"
        if status in BY_PARAMETERS and limits != self.limits:
            return "ask"
        return "ask" if status in NEXT_RUN or status in ("", "ok") else "keep"


def ledger_of(root: Path) -> Ledger:
    """Return the rows of earlier runs, by film."""
    return Ledger(root / PAGES_FOLDER, COLUMNS)


def sweep(root: Path, fids: set[str]) -> frozenset[str]:
    """Remove the files of removed films and incomplete files of killed runs; return the paths of the others."""
    ledger_of(root).sweep(fids)
    files = []
    for folder in (PAGES_FOLDER, POSTERS_FOLDER):
        (root / folder).mkdir(parents=True, exist_ok=True)
        with os.scandir(root / folder) as entries:
            for entry in entries:
                ours = OURS.fullmatch(entry.name)
                if ours and ours["fid"] not in fids:
                    os.unlink(entry.path)
                else:
                    files.append(f"{folder}/{entry.name}")
    return frozenset(files)


def validators(etag: str, last_modified: str) -> dict[str, str]:
    """Return the headers of a conditional request; {} without validators."""
    if etag:
        return {"If-None-Match": etag}
    return {"If-Modified-Since": last_modified} if last_modified else {}
