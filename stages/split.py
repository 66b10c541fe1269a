"""Put every usable film on one side, and write what the reference's tools and the later stages read.

Reads: data/films.parquet, data/segments.parquet; for the coverage also data/pages.parquet, data/downloads.parquet
Writes: data/meta/{train,valid,eval,fid_to_text,meta}.json, data/meta/movie_all_audio_paths.pkl, data/dataset.parquet,
    metrics/coverage.json
Run: dvc repro split
"""

import logging
from pathlib import Path

from pipeline.coverage import report
from pipeline.sections import Split
from pipeline.split.dataset import dataset_rows, reasons, usable_films, write_dataset
from pipeline.split.sides import assign_sides
from pipeline.stage import launch
from pipeline.tables import FILMS, SEGMENTS, read_table

log = logging.getLogger(__name__)


def main(root: Path, split: Split) -> None:
    """Write the sides."""
    films = read_table(root / "data/films.parquet", FILMS, "parse")
    segments = read_table(root / "data/segments.parquet", SEGMENTS, "segment")
    coverage = report(root)  # written also when no film is left
    usable, tracks, left_out = usable_films(films, segments)
    sides = assign_sides(tracks, split)
    rows = dataset_rows(usable, tracks, sides)
    write_dataset(root, rows)
    for side, fids in sides.items():
        seconds = [row["seconds"] for row in rows if row["side"] == side]
        log.info("split: %s: %d films, %d audio files, %.1f min", side, len(fids), len(seconds), sum(seconds) / 60)
    log.info("split: %d films left out (%s)", left_out.total(), reasons(left_out) or "none")
    log.info("%s", coverage)


if __name__ == "__main__":
    launch(lambda root, params: main(root, params.split))
