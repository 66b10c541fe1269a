"""Cut a file of music into segments by the rules of the corpus, omitting silent ones. Only one is in memory at a time.

A file too short for a full segment is one segment if it has at least `MIN_SECONDS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.features.peaks import Peaks
from pipeline.media.audio import NotAudioError
from pipeline.media.loudness import loudness_lufs, peak_dbfs
from pipeline.media.sandbox import mono
from pipeline.segment.cut import Section, Stream, cuts_of
from pipeline.segment.rows import silence
from pipeline.segment.section import Segment

MIN_SECONDS = 1.0


class UnusableError(Exception):
    """A file without segments; its row gets the status: corrupt, silent, too_long, too_short or unreadable."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Cutting:
    """The settings of the section `segment` that affect segments, and the sample rate of a model's features."""

    seconds: float
    hop_seconds: float
    min_seconds: float
    rest: Literal["drop", "join"]
    silence_lufs: float | None
    sample_rate: int
    max_seconds: float  # of a file


def cutting_of(segment: Segment, sample_rate: int, max_seconds: float) -> Cutting:
    """Return the settings for files of up to `max_seconds`, decoded at `sample_rate` Hz; not limited to MP3's rates."""
    names = ("seconds", "hop_seconds", "min_seconds", "rest", "silence_lufs")
    chosen = {name: getattr(segment, name) for name in names}
    return Cutting(**chosen, sample_rate=sample_rate, max_seconds=max_seconds)


def cut_file(
    path: Path, cutting: Cutting, keep: Callable[[int, np.ndarray], None], peaks: Peaks | None = None
) -> float:
    """Call `keep(start, samples)` with each segment, int16 [t], in order; return the length of the file in seconds.

    All samples are added to `peaks`. Raises `UnusableError` for a file without segments, or, possibly after some calls
    of `keep`, for one that is too long.
    """
    rate = cutting.sample_rate
    stream = Stream(_blocks(path, cutting, peaks))
    kept, silent = 0, ""
    for segment in cuts_of(stream, [Section(0, "")], cutting):
        if segment.is_rest and (segment.start or len(segment.samples) < MIN_SECONDS * rate):
            continue
        if reason := _silence(segment.samples, cutting):
            silent = silent or reason
        else:
            keep(segment.start, segment.samples)
            kept += 1
    seconds = stream.end / rate
    if kept:
        return seconds
    if not stream.end:
        raise UnusableError("corrupt", "no audio can be decoded")
    if silent:
        raise UnusableError("silent", silent)
    raise UnusableError("too_short", f"{seconds:.2f} s, the minimum is {MIN_SECONDS:g} s")


def _blocks(path: Path, cutting: Cutting, peaks: Peaks | None) -> Iterator[np.ndarray]:
    left = round(cutting.max_seconds * cutting.sample_rate)
    try:
        for block in mono(path, cutting.sample_rate):
            left -= len(block)
            if left < 0:
                most = cutting.max_seconds
                raise UnusableError("too_long", f"more than {most:g} s (recommend.max_track_seconds)")
            if peaks:
                peaks.add(block)
            yield block
    except NotAudioError as error:
        raise UnusableError("corrupt", str(error)) from None
    except OSError as error:
        raise UnusableError("unreadable", f"cannot be read ({error.strerror})") from None


def _silence(samples: np.ndarray, cutting: Cutting) -> str:
    if cutting.silence_lufs is None:
        return ""
    rate = cutting.sample_rate
    facts = {"seconds": len(samples) / rate, "loudness_lufs": loudness_lufs(samples, rate)}
    return silence(facts | {"peak_dbfs": peak_dbfs(samples)}, cutting.silence_lufs)
