"""Rows of the segments table: selection, numbers and paths of a film's segments, and reasons for dropped ones."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.media.loudness import BLOCK_SECONDS, GATE_LUFS
from pipeline.segment.section import Segment

FOLDER = Path("data/audio")  # relative to the root
FACTS = ("start_seconds", "seconds", "loudness_lufs", "peak_dbfs")

Row = dict[str, Any]


def row_of(recording: Row, **known: Any) -> Row:
    """Return a row for a recording, a row of the downloads table; columns not in `known` are empty or null."""
    row = {"number": None, "status": "", "reason": "", "path": "", "sha256": "", "file_sha256": ""}
    row["landmarks"] = ""
    row |= dict.fromkeys(FACTS)
    row |= {"fid": recording["fid"], "source": recording["path"], "source_url": recording["video_url"]}
    return row | {"title": recording["title"]} | known


def too_short(row: Row, settings: Segment) -> Row:
    """Return the row with its status and reason."""
    reason = f"{row['seconds']:.2f} s is less than segment.min_seconds ({settings.min_seconds:g})"
    return row | {"status": "too_short", "reason": reason}


def silence(row: Row, limit: float | None) -> str:
    """Return the reason if a segment, with known loudness and peak, is silent, else "".

    `limit` is `segment.silence_lufs`, None for none. For a segment that is too short for a loudness, the peak decides.
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
    """Return the path of a segment, relative to the root, nested as in the reference: data/audio/A/A/A/0.mp3."""
    return FOLDER.joinpath(*fid) / f"{number}.{format}"


def spread_over_recordings(recordings: Sequence[str], most: int | None) -> list[int]:
    """Return at most `most` positions of segments, given the recording of each, sorted by recording.

    Each recording keeps its fair share, spread evenly over it.
    """
    totals = Counter(recordings)  # in their order
    positions: list[int] = []
    start = 0
    for total, share in zip(totals.values(), fair_shares([*totals.values()], most), strict=True):
        positions += [start + position for position in spread(total, share)]
        start += total
    return positions


def fair_shares(totals: Sequence[int], most: int | None) -> list[int]:
    """Return the number of kept segments per recording, out of `totals`, at most `most` in total (max-min fairness).

    Short recordings keep all; the others share the rest equally, to within one. The remainder goes to recordings spread
    evenly over these.
    """
    shares = [0] * len(totals)
    left = sum(totals) if most is None else min(most, sum(totals))
    while left:
        unfilled = [index for index, total in enumerate(totals) if shares[index] < total]
        step = min(left // len(unfilled), *(totals[index] - shares[index] for index in unfilled))
        chosen = unfilled if step else [unfilled[place] for place in spread(len(unfilled), left)]
        for index in chosen:
            shares[index] += max(step, 1)
        left -= len(chosen) * max(step, 1)
    return shares


def spread(total: int, most: int | None) -> list[int]:
    """Return at most `most` positions of 0 … total - 1, spread evenly."""
    if most is None or total <= most:
        return list(range(total))
    return [(2 * index + 1) * total // (2 * most) for index in range(most)]


def number_segments(digests: list[str], before: Iterable[tuple[str, int]]) -> list[int]:
    """Return a number per segment; existing ones, `before` as (digest, number), keep theirs."""
    known = defaultdict(list)
    for digest, number in sorted(before, reverse=True):
        known[digest].append(number)
    numbers = [known[digest].pop() if known.get(digest) else None for digest in digests]
    taken = {number for number in numbers if number is not None}
    free = (number for number in count() if number not in taken)
    return [next(free) if number is None else number for number in numbers]
