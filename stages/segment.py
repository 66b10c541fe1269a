"""Cut every recording into pieces of one length and sample rate.

Reads: data/downloads/, data/downloads.parquet
Writes: data/audio/A/A/A/0.mp3, …, data/segments.parquet, metrics/coverage.json
Run: dvc repro segment
"""

import logging
from pathlib import Path

from pipeline.coverage import report
from pipeline.sections import Segment
from pipeline.segment.run import by_recording, segment_all
from pipeline.stage import launch
from pipeline.tables import DOWNLOADS, SEGMENTS, count_by_status, read_table, require_success, write_table

log = logging.getLogger(__name__)


def main(root: Path, segment: Segment) -> None:
    """Write the segments and their table."""
    downloads = read_table(root / "data/downloads.parquet", DOWNLOADS, "download")
    rows = segment_all(root, downloads, segment)
    write_table(root / "data/segments.parquet", rows, SEGMENTS)
    recordings = by_recording(rows)
    log.info("segment: recordings: %s", count_by_status(recordings))
    log.info("segment: segments: %s", count_by_status(rows))
    log.info("%s", report(root))
    require_success(recordings, segment.min_success_rate, "segment", "recordings")


if __name__ == "__main__":
    launch(lambda root, params: main(root, params.segment))
