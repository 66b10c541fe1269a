"""Recordings of known content in any container, as the download stage leaves them."""

import av
import numpy as np
import pytest

from pipeline.sections import Segment

CODECS = {
    ".m4a": ("aac", 44100),
    ".webm": ("libopus", 48000),
    ".mp3": ("libmp3lame", 44100),
    ".ogg": ("libopus", 48000),
    ".flac": ("flac", 44100),
}


@pytest.fixture
def settings() -> Segment:
    """Pieces of 2 s."""
    return Segment(seconds=2.0, min_seconds=0.5, sample_rate=22050, bit_rate=64000, processes=1, min_success_rate=0.5)


@pytest.fixture
def record(tmp_path):
    """Return a function that writes a recording, a tone a second (hertz), and gives its row of the downloads table."""

    def make(fid, number, hertz, suffix=".flac", layout="mono"):
        codec, rate = CODECS[suffix]
        tones = [np.sin(2 * np.pi * value * np.arange(rate) / rate) for value in hertz]
        wave = (0.4 * 32767 * np.concatenate(tones)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        path = tmp_path / f"data/downloads/{fid}/{number:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, layout=layout)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return row(fid, number, path.relative_to(tmp_path).as_posix())

    def row(fid, number, path, status="ok"):
        nothing = {"reason": "", "title": "", "expected_seconds": None, "decoded_seconds": None, "bytes": 1}
        nothing |= {"entry": None, "chapters": []}
        url = f"https://example.org/{fid}/{number}"
        known = {"fid": fid, "number": number, "status": status, "path": path, "url": url, "video_url": f"{url}/own"}
        return nothing | known | {"sha256": "0"}

    make.row = row
    return make
