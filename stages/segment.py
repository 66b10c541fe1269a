"""Cut every recording into segments of one length and sample rate; drop silent segments and duplicates.

Reads: data/downloads/, data/downloads.parquet
Writes: data/audio/A/A/A/0.mp3, …, data/segments.parquet
Run: dvc repro segment
"""

import logging
from pathlib import Path

from pipeline.core.machine import Machine
from pipeline.core.stage import launch
from pipeline.core.tables import DOWNLOADS, count_by_status, read_table, require_success
from pipeline.segment.films import by_recording, segment_all
from pipeline.segment.section import Segment

log = logging.getLogger(__name__)


def main(root: Path, segment: Segment, machine: Machine) -> None:
    """Update the segments and their table."""
    downloads = read_table(root / "data/downloads.parquet", DOWNLOADS, "download")
    rows = segment_all(root, downloads, segment, machine.processes)
    recordings = by_recording(rows)
    log.info("segment: recordings: %s", count_by_status(recordings))
    log.info("segment: segments: %s", count_by_status(rows))
    require_success(recordings, segment.min_success_rate, "segment", "recordings")


if __name__ == "__main__":
    launch(main, {"segment": Segment, "machine": Machine})
