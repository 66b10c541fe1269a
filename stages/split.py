"""Assign every usable film to the training, validation or test set, and write the files that later stages read.

Reads: data/{films,segments,downloads}.parquet, a given split or the one in <corpus.folder>, if any; for the coverage
    also data/pages.parquet
Writes: data/meta/{train,valid,eval,fid_to_text,meta}.json, data/meta/movie_all_audio_paths.pkl, data/dataset.parquet,
    metrics/coverage.json
Run: dvc repro split
"""

import logging
from pathlib import Path

from pipeline.core.stage import launch
from pipeline.core.tables import DOWNLOADS, FILMS, SEGMENTS, read_table
from pipeline.core.variants import Variants, known_parts
from pipeline.params import Params
from pipeline.split.assign import assign_splits
from pipeline.split.coverage import report
from pipeline.split.dataset import (
    compared_films,
    dataset_rows,
    reasons,
    require_films,
    usable_films,
    write_dataset,
)
from pipeline.split.few import shortcomings
from pipeline.split.given import given_split, warn_of_split_groups
from pipeline.split.groups import groups_of
from pipeline.split.section import Split

log = logging.getLogger(__name__)


def main(root: Path, corpus: str, split: Split, variants: Variants) -> None:
    """Write the splits; `corpus` is the folder of the corpus, relative to `root`."""
    films = read_table(root / "data/films.parquet", FILMS, "parse")
    segments = read_table(root / "data/segments.parquet", SEGMENTS, "segment")
    downloads = read_table(root / "data/downloads.parquet", DOWNLOADS, "download")
    given = given_split(root, corpus, split.given)
    usable, tracks, left_out = usable_films(films, segments, variants, split, given)
    groups = groups_of(tracks, downloads)
    coverage = report(root, corpus, left_out, groups.shared())  # also written if no film is left
    require_films(usable, left_out)
    warn_of_split_groups(groups.films, given)
    compared = compared_films(usable, variants)
    splits = assign_splits(groups.films, compared, split, given)
    rows = dataset_rows(usable, tracks, splits, compared, groups)
    write_dataset(root, rows)
    for name, fids in splits.items():
        seconds = [row["seconds"] for row in rows if row["split"] == name]
        log.info("split: %s: %d films, %d audio files, %.1f min", name, len(fids), len(seconds), sum(seconds) / 60)
    log.info("split: %d films have the inputs of all variants, which are compared on these", len(compared))
    for line in shortcomings(splits, {film["fid"]: known_parts(film) for film in usable}, compared, variants):
        log.warning("split: %s", line)
    log.info("split: %d films left out (%s)", len(left_out), reasons(left_out) or "none")
    log.info("%s", coverage)


if __name__ == "__main__":
    launch(  # checks all of params.yaml
        lambda root, params: main(root, params.corpus.folder, params.split, params.variants), {"": Params}
    )
