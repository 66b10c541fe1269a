"""Segmentation of all films in parallel. The result does not depend on the number of processes."""

import logging
import shutil
from collections.abc import Iterable
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.core.errors import disk_error
from pipeline.core.workers import map_in_order
from pipeline.segment.film import RUN, FilmRecordings, give_up, segment_film
from pipeline.segment.rows import FOLDER
from pipeline.segment.section import Segment
from pipeline.segment.state import TABLE, FilmState, digest_of, load, save

SUCCEEDED = ("ok", "surplus", "duplicate")  # the recording could be cut

log = logging.getLogger(__name__)


def segment_all(
    root: Path, downloads: Iterable[dict[str, Any]], settings: Segment, processes: int
) -> list[dict[str, Any]]:
    """Update `data/audio` and the segments table from the successful downloads; return the table's rows.

    Films with unchanged recordings and settings are skipped. If processes die on a film, its recordings have the status
    `crashed`. Raises `StageError` for a file that cannot be read or written.
    """
    try:
        return _segment_all(root, downloads, settings, processes)
    except OSError as error:
        raise disk_error(error, root / TABLE, RUN) from error


def by_recording(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per recording: ok if any of its segments is usable, or was not needed."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] in SUCCEEDED:
            found[row["source"]] = row | {"status": "ok", "reason": ""}
        else:
            found.setdefault(row["source"], row)
    return list(found.values())


def _segment_all(
    root: Path, downloads: Iterable[dict[str, Any]], settings: Segment, processes: int
) -> list[dict[str, Any]]:
    whole = [row for row in downloads if row["status"] == "ok"]
    whole.sort(key=lambda row: (row["fid"], row["number"], -1 if row["entry"] is None else row["entry"]))
    before, base = load(root)
    films = [
        FilmRecordings(fid, list(rows), before.get(fid, FilmState()))
        for fid, rows in groupby(whole, key=itemgetter("fid"))
    ]
    stale = [film for film in films if not film.before.holds(root, digest_of(film.recordings, settings))]
    if len(stale) < len(films):
        log.info("segment: %d of %d films are unchanged", len(films) - len(stale), len(films))
    states = {film.fid: film.before for film in films}
    _remove_others(root, states)
    work, given_up = partial(segment_film, root, settings, base), partial(give_up, root, base)
    done = map_in_order(work, stale, processes, max_chunk=1, on_death=given_up)
    with tqdm(total=sum(len(film.recordings) for film in stale), unit="recording", disable=None) as progress:
        for film, state in zip(stale, done, strict=True):
            states[film.fid] = state
            progress.update(len(film.recordings))
    save(root, states)
    return [row for state in states.values() for row in state.rows]


def _remove_others(root: Path, states: dict[str, FilmState]) -> None:
    """Remove all files in `data/audio` except the segments of the states."""
    kept = {root / row["path"] for state in states.values() for row in state.rows if row["status"] == "ok"}
    folders = {parent for path in kept for parent in path.parents}
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    _prune(root / FOLDER, kept, folders)


def _prune(folder: Path, kept: set[Path], folders: set[Path]) -> None:
    for path in list(folder.iterdir()):
        if path in folders:
            _prune(path, kept, folders)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path not in kept:
            path.unlink()
