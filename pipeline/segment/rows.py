"""Rows of the segments table: which segments of a film are kept, their numbers and places, and why others are not."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.media.loudness import BLOCK_SECONDS, GATE_LUFS
from pipeline.segment.section import Segment

FOLDER = Path("data/audio")  # below the root
FACTS = ("start_seconds", "seconds", "loudness_lufs", "peak_dbfs")

Row = dict[str, Any]


def row_of(recording: Row, **known: Any) -> Row:
    """Return a row of a recording, itself a row of the downloads table; what is not `known` is empty or null."""
    row = {"number": None, "status": "", "reason": "", "path": "", "sha256": "", "file_sha256": ""}
    row |= dict.fromkeys(FACTS)
    row |= {"fid": recording["fid"], "source": recording["path"], "source_url": recording["video_url"]}
    return row | {"title": recording["title"]} | known


def too_short(row: Row, settings: Segment) -> Row:
    """Return the row with its status and reason."""
    reason = f"{row['seconds']:.2f} s are less than segment.min_seconds ({settings.min_seconds:g})"
    return row | {"status": "too_short", "reason": reason}


def silence(row: Row, limit: float | None) -> str:
    """Return why a segment, of which loudness and peak are known, is silent; "" when it is not.

    `limit` is `segment.silence_lufs`, None for none. One that is too short to have a loudness is judged by its peak.
    """
    loudness, peak = row["loudness_lufs"], row["peak_dbfs"]
    if limit is None:
        return ""
    if peak is None:
        found, is_silent = "digital silence", True
    elif loudness is not None:
        found, is_silent = f"{loudness:.1f} LUFS", loudness < limit
    elif row["seconds"] >= BLOCK_SECONDS:
        found, is_silent = f"less than {GATE_LUFS:g} LUFS", True
    else:
        found, is_silent = f"a peak of {peak:.1f} dBFS", peak < limit
    return f"{found}, segment.silence_lufs is {limit:g}" if is_silent else ""


def segment_path(fid: str, number: int, format: str) -> Path:
    """Return the path of a segment below the root, as the reference nests it: data/audio/A/A/A/0.mp3."""
    return FOLDER.joinpath(*fid) / f"{number}.{format}"


def spread(total: int, most: int | None) -> list[int]:
    """Return at most `most` of the positions 0 … total - 1, spread evenly."""
    if most is None or total <= most:
        return list(range(total))
    return [(2 * index + 1) * total // (2 * most) for index in range(most)]


def number_segments(digests: list[str], before: Iterable[tuple[str, int]]) -> list[int]:
    """Return a number per segment: those that were there `before`, (digest, number), keep theirs."""
    known = defaultdict(list)
    for digest, number in sorted(before, reverse=True):
        known[digest].append(number)
    numbers = [known[digest].pop() if known.get(digest) else None for digest in digests]
    taken = {number for number in numbers if number is not None}
    free = (number for number in count() if number not in taken)
    return [next(free) if number is None else number for number in numbers]
