"""Films of the data set to try the page with: what is known of them stands ready, their posters included."""

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
    """The films of the data set whose posters are here, of which a few are suggested."""

    root: Path
    films: dict[str, dict[str, Any]]  # rows of the data set, by fid

    def suggested(self) -> list[dict[str, Any]]:
        """Return `SUGGESTED` films, spread evenly over those of the evaluation split in their order."""
        films = [film for film in self.films.values() if film["split"] == SPLIT]
        count = min(SUGGESTED, len(films))
        chosen = [films[place * len(films) // count] for place in range(count)]
        return [film | {"image": self.address(film["fid"])} for film in chosen]

    def address(self, fid: str) -> str | None:
        """Return the address of a film's poster, None where it has none."""
        return f"/api/examples/{fid}/image" if fid in self.films else None

    def poster(self, fid: str) -> Path:
        """Return the file of a film's poster; raise `Refused` when there is none below the root."""
        found = self._poster(self.films[fid]["image"]) if fid in self.films else None
        if found is None:
            raise Refused(404, "example: there is no such film, or it has no poster")
        return found

    def _poster(self, path: str) -> Path | None:
        root = self.root.resolve()
        found = (root / path).resolve()
        return found if found.is_relative_to(root) and found.is_file() else None


def read_examples(root: Path) -> Examples:
    """Return the films of the data set below `root`; none when there is no data set."""
    try:
        rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    except MissingFileError as error:
        log.info("no example films: %s", error)
        rows = []
    films = {row["fid"]: row for row in film_rows(rows) if row["image"] and (root / row["image"]).is_file()}
    return Examples(root, films)
