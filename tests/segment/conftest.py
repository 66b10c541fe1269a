"""Recordings of known content in any container, as outputs of the download stage."""

import numpy as np
import pytest

from pipeline.segment.film import FilmRecordings, segment_film
from pipeline.segment.section import Segment
from pipeline.segment.state import FilmState
from tests.segment.sounds import CODECS, RATE, tone, write


@pytest.fixture
def settings() -> Segment:
    """Settings for pieces of 2 s."""
    return Segment(
        seconds=2.0,
        hop_seconds=2.0,
        min_seconds=0.5,
        rest="drop",
        silence_lufs=-60.0,
        duplicate_bit_errors=0.25,
        max_per_film=None,
        sample_rate=RATE,
        format="mp3",
        bit_rate=64000,
        min_success_rate=0.5,
    )


@pytest.fixture
def film_rows(tmp_path):
    """Return a function that cuts the recordings of a film and returns its rows."""

    def rows(settings, recordings, before=None):
        film = FilmRecordings(recordings[0]["fid"], recordings, before or FilmState())
        return segment_film(tmp_path, settings, "", film).rows

    return rows


@pytest.fixture
def record(tmp_path):
    """Return a function that writes a recording and returns its row of the downloads table.

    It has one tone per second (hertz), or, with `record.samples`, any int16 samples [t] of 22,050 Hz.
    """

    def tones(fid, number, hertz, suffix=".flac", layout="mono"):
        rate = CODECS[suffix][1]
        return samples(fid, number, np.concatenate([tone(h, 1.0, rate) for h in hertz]), suffix, layout, rate)

    def samples(fid, number, wave, suffix=".wav", layout="mono", rate=RATE, bit_rate=None, **known):
        path = tmp_path / f"data/downloads/{fid}/{number:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, wave, rate, suffix, layout, bit_rate)
        return row(fid, number, path.relative_to(tmp_path).as_posix()) | known

    def row(fid, number, path, status="ok"):
        nothing = {"reason": "", "title": f"Title {number}", "expected_seconds": None, "decoded_seconds": None}
        nothing |= {"bytes": 1, "entry": None, "chapters": []}
        url = f"https://example.org/{fid}/{number}"
        known = {"fid": fid, "number": number, "status": status, "path": path, "url": url, "video_url": f"{url}/own"}
        return nothing | known | {"sha256": f"{fid}{number}"}

    tones.samples, tones.row = samples, row
    return tones
