"""All films, several at a time. The result does not depend on the number of processes."""

import shutil
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, groupby
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.errors import StageError
from pipeline.sections import Segment
from pipeline.segment.cut import FOLDER, segment_film


def segment_all(root: Path, downloads: Iterable[dict[str, Any]], settings: Segment) -> list[dict[str, Any]]:
    """Write `data/audio` anew from the downloads that are ok; return the rows of the segments table."""
    if (root / FOLDER).exists():
        shutil.rmtree(root / FOLDER)
    (root / FOLDER).mkdir(parents=True)
    whole = [row for row in downloads if row["status"] == "ok"]
    whole.sort(key=lambda row: (row["fid"], row["number"], -1 if row["entry"] is None else row["entry"]))
    films = [list(rows) for _, rows in groupby(whole, key=itemgetter("fid"))]
    cut = partial(segment_film, root, settings)
    with ProcessPoolExecutor(settings.processes, mp_context=get_context("spawn")) as pool:
        try:
            rows = list(tqdm(pool.map(cut, films), total=len(films), unit="film", disable=None))
        except BrokenProcessPool:
            raise StageError(
                "segment: a process died, perhaps for want of memory; "
                f"lower segment.processes ({settings.processes}) or segment.seconds ({settings.seconds:g})"
            ) from None
    return list(chain.from_iterable(rows))


def by_recording(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a recording: an ok one where it gave any segment."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] == "ok" or row["source"] not in found:
            found[row["source"]] = row
    return list(found.values())
