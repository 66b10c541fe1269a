"""Example films for the page, from the data set, with their texts and posters."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.apps.web.failures import Refused
from pipeline.core.errors import MissingFileError
from pipeline.core.tables import DATASET, read_table
from pipeline.store.inputs import film_rows

log = logging.getLogger(__name__)

SUGGESTED = 6
SPLIT = "eval"  # no model was trained on these


@dataclass(frozen=True)
class Examples:
    """The films of the data set that have a poster; a few of them are suggested."""

    root: Path
    films: dict[str, dict[str, Any]]  # rows of the data set, by fid

    def suggested(self) -> list[dict[str, Any]]:
        """Return `SUGGESTED` films, evenly spaced over the test set in its order."""
        films = [film for film in self.films.values() if film["split"] == SPLIT]
        count = min(SUGGESTED, len(films))
        chosen = [films[place * len(films) // count] for place in range(count)]
        return [film | {"image": self.address(film["fid"])} for film in chosen]

    def address(self, fid: str) -> str | None:
        """Return the address of a film's poster; None if it has none."""
        return f"/api/examples/{fid}/image" if fid in self.films else None

    def poster(self, fid: str) -> Path:
        """Return the file of a film's poster; raise `Refused` if there is none below the root."""
        found = self._poster(self.films[fid]["image"]) if fid in self.films else None
        if found is None:
            raise Refused(404, "example: no film with this id and a poster; /api/examples lists some")
        return found

    def _poster(self, path: str) -> Path | None:
        root = self.root.resolve()
        found = (root / path).resolve()
        return found if found.is_relative_to(root) and found.is_file() else None


def read_examples(root: Path) -> Examples:
    """Return the films of the data set below `root`; empty without a data set."""
    try:
        rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    except MissingFileError as error:
        log.info("no example films: %s", error)
        rows = []
    films = {row["fid"]: row for row in film_rows(rows) if row["image"] and (root / row["image"]).is_file()}
    return Examples(root, films)
