"""Assign every usable film to a split, and write what the reference's tools and the later stages read.

Reads: data/films.parquet, data/segments.parquet; for the coverage also data/pages.parquet, data/downloads.parquet
Writes: data/meta/{train,valid,eval,fid_to_text,meta}.json, data/meta/movie_all_audio_paths.pkl, data/dataset.parquet,
    metrics/coverage.json
Run: dvc repro split
"""

import logging
from pathlib import Path

from pipeline.core.stage import launch
from pipeline.core.tables import FILMS, SEGMENTS, read_table
from pipeline.params import Params
from pipeline.split.assign import assign_splits
from pipeline.split.coverage import report
from pipeline.split.dataset import dataset_rows, reasons, usable_films, write_dataset
from pipeline.split.section import Split

log = logging.getLogger(__name__)


def main(root: Path, split: Split) -> None:
    """Write the splits."""
    films = read_table(root / "data/films.parquet", FILMS, "parse")
    segments = read_table(root / "data/segments.parquet", SEGMENTS, "segment")
    coverage = report(root)  # written also when no film is left
    usable, tracks, left_out = usable_films(films, segments)
    splits = assign_splits(tracks, split)
    rows = dataset_rows(usable, tracks, splits)
    write_dataset(root, rows)
    for name, fids in splits.items():
        seconds = [row["seconds"] for row in rows if row["split"] == name]
        log.info("split: %s: %d films, %d audio files, %.1f min", name, len(fids), len(seconds), sum(seconds) / 60)
    log.info("split: %d films left out (%s)", left_out.total(), reasons(left_out) or "none")
    log.info("%s", coverage)


if __name__ == "__main__":
    launch(lambda root, params: main(root, params.split), {"": Params})  # checks all of params.yaml
