"""Segmentation of one film: cut its recordings, then select, number, encode and place the segments.

Silent segments and duplicates are dropped; at most `max_per_film` of the others are kept, a fair share of each
recording, spread evenly over it. Existing segments keep their numbers; new ones get the lowest free number. A segment's
SHA-256 is that of its samples before encoding: int16, little-endian, mono.

Samples are encoded during decoding up to `max_per_film`: a film with no more segments is decoded once. Otherwise,
selected segments that are not yet encoded are decoded a second time.

A recording that cannot be decoded to its end is a row, and none of its segments is kept; a disk error ends the stage.
"""

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.core.errors import disk_error
from pipeline.core.files import sha256_of
from pipeline.core.workers import ATTEMPTS
from pipeline.media.audio import NotAudioError
from pipeline.media.loudness import loudness_lufs, peak_dbfs
from pipeline.media.sandbox import mono
from pipeline.segment.cut import Cut, Stream, cuts_of, sections_of
from pipeline.segment.duplicates import Duplicates
from pipeline.segment.encode import write_audio
from pipeline.segment.fingerprint import landmarks_of
from pipeline.segment.rows import (
    FOLDER,
    number_segments,
    row_of,
    segment_path,
    silence,
    spread_over_recordings,
    too_short,
)
from pipeline.segment.section import Segment
from pipeline.segment.state import FilmState, digest_of, encoding_of, write_journal

RUN = "dvc repro segment"
PART = ".part-"  # prefix of files that are not yet in place

Row = dict[str, Any]


@dataclass(frozen=True)
class FilmRecordings:
    """The recordings of a film, rows of the downloads table in order, and its earlier state."""

    fid: str
    recordings: list[Row]
    before: FilmState


def segment_film(root: Path, settings: Segment, base: str, film: FilmRecordings) -> FilmState:
    """Cut a film and return its state; a missing or undecodable recording is a row.

    Files in place are not changed before all segments are encoded; then a journal for the table `base` records it.
    Raises `StageError` for a file that cannot be read or written.
    """
    work = _Work(root, settings, film)
    try:
        return work.done(base)
    except OSError as error:
        raise disk_error(error, work.folder, RUN) from error


def give_up(root: Path, base: str, film: FilmRecordings) -> FilmState:
    """Return the state of a film that kills processes: its recordings are rows, and the next run retries it."""
    shutil.rmtree(root / FOLDER.joinpath(*film.fid), ignore_errors=True)
    reason = f"a process died {ATTEMPTS} times on this film, possibly out of memory: lower machine.processes"
    state = FilmState(rows=[row_of(recording, status="crashed", reason=reason) for recording in film.recordings])
    write_journal(root, base, film.fid, state)
    return state


class _Work:
    def __init__(self, root: Path, settings: Segment, film: FilmRecordings) -> None:
        self.root, self.settings, self.film = root, settings, film
        self.folder = root / FOLDER.joinpath(*film.fid)
        self.before = [row for row in film.before.rows if row["status"] == "ok"]
        self.there: dict[str, list[Row]] = defaultdict(list)  # by digest: already encoded
        if film.before.encoding == encoding_of(settings):
            torn = {row["sha256"] for row in self.before if not film.before.is_whole(root, row)}
            for row in self.before:
                if row["sha256"] not in torn:
                    self.there[row["sha256"]].append(row)
        self.kept: list[Row] = []
        self.files: dict[tuple[str, float], Path] = {}  # of encoded segments, by source and start

    def done(self, base: str) -> FilmState:
        self.folder.mkdir(parents=True, exist_ok=True)
        duplicates = Duplicates(self.settings, len(self.film.recordings))
        rows = [row for recording in self.film.recordings for row in self._whole(recording, duplicates)]
        self._choose()
        self._encode_rest()
        kept = [row for row in self.kept if row["status"] == "ok"]
        known = [(row["sha256"], row["number"]) for row in self.before]
        for row, number in zip(kept, number_segments([row["sha256"] for row in kept], known), strict=True):
            row |= {"number": number, "path": segment_path(self.film.fid, number, self.settings.format).as_posix()}
        write_journal(self.root, base, self.film.fid, replace(self.film.before, trusted=False))
        sizes = self._place(kept)
        digest = digest_of(self.film.recordings, self.settings)
        state = FilmState(digest, encoding_of(self.settings), sizes, rows, trusted=True)
        write_journal(self.root, base, self.film.fid, state)
        return state

    def _whole(self, recording: Row, duplicates: Duplicates) -> list[Row]:
        """Return the rows of a recording; a single row if it cannot be decoded to its end."""
        before = len(self.kept)
        try:
            return list(self._rows(recording, duplicates))
        except NotAudioError as error:
            del self.kept[before:]
            duplicates.forget_recording()
            return [row_of(recording, status="corrupt", reason=str(error))]

    def _rows(self, recording: Row, duplicates: Duplicates) -> Iterator[Row]:
        """Yield the rows of a recording, encoding segments that may be kept."""
        if not (self.root / recording["path"]).is_file():
            yield row_of(
                recording, status="missing", reason=f"{recording['path']} is missing: run `dvc repro download`"
            )
            return
        stream = Stream(duplicates.next_recording(mono(self.root / recording["path"], self.settings.sample_rate)))
        found = False
        for cut in cuts_of(stream, sections_of(recording, self.settings.sample_rate), self.settings):
            found = True
            yield self._judged(recording, cut, duplicates)
        if not stream.end:
            raise NotAudioError("nothing in it can be decoded")
        if not found:
            seconds = stream.end / self.settings.sample_rate
            yield too_short(row_of(recording, start_seconds=0.0, seconds=seconds), self.settings)

    def _judged(self, recording: Row, cut: Cut, duplicates: Duplicates) -> Row:
        settings, rate = self.settings, self.settings.sample_rate
        facts = {"start_seconds": cut.start / rate, "seconds": len(cut.samples) / rate, "title": cut.title}
        row = row_of(recording, **facts)
        if cut.is_rest:
            return too_short(row, settings)
        row["loudness_lufs"] = loudness_lufs(cut.samples, rate)
        row["peak_dbfs"] = peak_dbfs(cut.samples)
        row["sha256"] = hashlib.sha256(cut.samples.astype("<i2", copy=False).tobytes()).hexdigest()
        if reason := silence(row, settings.silence_lufs):
            return row | {"status": "silent", "reason": reason}
        if reason := duplicates.reason(row):
            return row | {"status": "duplicate", "reason": reason}
        duplicates.keep(row)
        if settings.max_per_film is None or len(self.kept) < settings.max_per_film:
            self._encode(row, cut.samples)
        if row["status"] in ("", "ok"):
            self.kept.append(row)
        return row

    def _encode(self, row: Row, samples: np.ndarray) -> None:
        """Encode a segment to a temporary file, unless it exists; if that fails, change its status."""
        row |= {"status": "ok", "landmarks": landmarks_of(samples, self.settings.sample_rate)}
        if there := self.there.get(row["sha256"]):
            row["file_sha256"] = there.pop()["file_sha256"]
            return
        settings, path = self.settings, self.folder / f"{PART}{len(self.files)}.{self.settings.format}"
        try:
            write_audio(path, samples, settings.sample_rate, settings.format, settings.bit_rate)
        except (av.FFmpegError, RuntimeError) as error:
            if isinstance(error, OSError):  # such as a full disk
                raise disk_error(error, path, RUN) from error
            reason = f"cannot be encoded as {settings.format}: {error}"
            row |= {"status": "not_encoded", "reason": reason, "landmarks": ""}
            return
        row["file_sha256"] = sha256_of(path)
        self.files[row["source"], row["start_seconds"]] = path

    def _choose(self) -> None:
        most = self.settings.max_per_film
        chosen = set(spread_over_recordings([row["source"] for row in self.kept], most))
        for index, row in enumerate(self.kept):
            if index not in chosen:
                reason = f"the film has {len(self.kept)} segments, segment.max_per_film is {most}"
                row |= {"status": "surplus", "reason": reason, "file_sha256": "", "landmarks": ""}

    def _encode_rest(self) -> None:
        """Encode the selected segments that are not yet encoded."""
        wanted: dict[str, dict[float, Row]] = defaultdict(dict)
        for row in self.kept:
            if not row["status"]:
                wanted[row["source"]][row["start_seconds"]] = row
        for recording in self.film.recordings:
            rows = wanted.get(recording["path"])
            if not rows:
                continue
            stream = Stream(mono(self.root / recording["path"], self.settings.sample_rate))
            reason = "decoding it a second time gave a different result"
            try:
                for cut in cuts_of(stream, sections_of(recording, self.settings.sample_rate), self.settings):
                    start = cut.start / self.settings.sample_rate
                    if start in rows:
                        self._encode(rows.pop(start), cut.samples)
                    if not rows:
                        break
            except NotAudioError as error:
                reason = str(error)
            for row in rows.values():
                row |= {"status": "corrupt", "reason": reason}

    def _place(self, kept: list[Row]) -> dict[str, int]:
        """Rename encoded files to their numbers and remove all others; return the sizes by path."""
        for row in kept:
            if part := self.files.get((row["source"], row["start_seconds"])):
                os.replace(part, self.root / row["path"])
        names = {Path(row["path"]).name for row in kept}
        for file in list(self.folder.iterdir()):
            if file.name not in names:
                file.unlink()
        return {row["path"]: (self.root / row["path"]).stat().st_size for row in kept}
