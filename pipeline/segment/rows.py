"""Rows of the segments table, and the reasons of what is no piece."""

from typing import Any

from pipeline.media.loudness import BLOCK_SECONDS, GATE_LUFS
from pipeline.segment.section import Segment

FACTS = ("start_seconds", "seconds", "loudness_lufs", "peak_dbfs")

Row = dict[str, Any]


def row_of(recording: Row, **known: Any) -> Row:
    """Return a row of a recording, itself a row of the downloads table; what is not `known` is empty or null."""
    row = {"number": None, "status": "", "reason": "", "path": "", "sha256": "", "file_sha256": ""}
    row |= dict.fromkeys(FACTS)
    row |= {"fid": recording["fid"], "source": recording["path"], "source_url": recording["video_url"]}
    return row | {"track": recording["title"]} | known


def too_short(row: Row, settings: Segment) -> Row:
    """Return the row with its status and reason."""
    reason = f"{row['seconds']:.2f} s are less than segment.min_seconds ({settings.min_seconds:g})"
    return row | {"status": "too_short", "reason": reason}


def silence(row: Row, settings: Segment) -> str:
    """Return why a piece, of which loudness and peak are known, is silent; "" when it is not.

    One that is too short to have a loudness is judged by its peak.
    """
    limit, loudness, peak = settings.silence_lufs, row["loudness_lufs"], row["peak_dbfs"]
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
