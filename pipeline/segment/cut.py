"""Cutting the recordings of one film. Only one piece is held at a time, however long a recording is.

Cuts lie on decoded samples: piece i begins at sample i · seconds · sample_rate. A film's segments are numbered from 0
in the order of their recordings and starts. A segment's SHA-256 is that of its samples before encoding: int16,
little-endian, mono.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio import NotAudioError, mono, write_mp3
from pipeline.files import whole_file
from pipeline.sections import Segment

FOLDER = Path("data/audio")  # below the root
PADDING_SECONDS = 0.1  # what encoders append; a rest up to this is no music and gives no row


def segment_film(root: Path, settings: Segment, recordings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut the recordings of one film, rows of the downloads table in order; return the rows of the segments table.

    A rest under `min_seconds` is a row `too_short`; a recording that is not there or cannot be decoded is a row
    `missing` or `corrupt`.
    """
    rows: list[dict[str, Any]] = []
    number = 0
    for recording in recordings:
        for row in _segments(root, settings, recording, number):
            rows.append(row)
            number += row["status"] == "ok"
    return rows


def segment_path(fid: str, number: int) -> Path:
    """Return the path of a segment below the root, as the reference nests it: data/audio/A/A/A/0.mp3."""
    return FOLDER.joinpath(*fid) / f"{number}.mp3"


def pieces(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Yield the samples of `blocks` again in arrays of `length`, and what is left at the end."""
    held: list[np.ndarray] = []
    missing = length
    for block in blocks:
        while len(block) >= missing:
            yield np.concatenate([*held, block[:missing]])
            block, held, missing = block[missing:], [], length
        if len(block):
            held.append(block)
            missing -= len(block)
    if held:
        yield np.concatenate(held)


def _segments(root: Path, settings: Segment, recording: dict[str, Any], first_number: int) -> Iterator[dict[str, Any]]:
    rate, length = settings.sample_rate, round(settings.seconds * settings.sample_rate)
    number, start = first_number, 0
    try:
        for piece in pieces(mono(root / recording["path"], rate), length):
            facts = {"start_seconds": start / rate, "seconds": len(piece) / rate}
            if len(piece) >= settings.min_seconds * rate:
                path = segment_path(recording["fid"], number)
                with whole_file(root / path) as temporary:
                    write_mp3(temporary, piece, rate, settings.bit_rate)
                digest = hashlib.sha256(piece.astype("<i2").tobytes()).hexdigest()
                yield _row(recording, status="ok", number=number, path=path.as_posix(), sha256=digest, **facts)
                number += 1
            elif start == 0 or len(piece) > PADDING_SECONDS * rate:
                reason = f"{len(piece) / rate:.2f} s are less than segment.min_seconds ({settings.min_seconds:g})"
                yield _row(recording, status="too_short", reason=reason, **facts)
            start += len(piece)
    except FileNotFoundError:
        yield _row(recording, status="missing", reason=f"{recording['path']} is gone: run `dvc repro download`")
    except NotAudioError as error:
        yield _row(recording, status="corrupt", reason=str(error))
    else:
        if start == 0:
            yield _row(recording, status="corrupt", reason="nothing in it can be decoded")


def _row(recording: dict[str, Any], **known: Any) -> dict[str, Any]:
    empty = {"number": None, "reason": "", "path": "", "start_seconds": None, "seconds": None, "sha256": ""}
    return empty | {"fid": recording["fid"], "source": recording["path"], "source_url": recording["video_url"]} | known
