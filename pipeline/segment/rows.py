"""Rows of the segments table: which segments of a film are kept, their numbers and places, and why others are not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
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
    row["landmarks"] = ""
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


def spread_over_recordings(recordings: Sequence[str], most: int | None) -> list[int]:
    """Return at most `most` of the positions of segments, given the recording of each, those of one together.

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
    """Return how many of each recording's `totals` segments are kept, `most` together (max-min fairness).

    No recording has two more than another that could have more: short ones keep all, the others share the rest equally.
    What cannot be shared equally goes to recordings spread evenly over those.
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
