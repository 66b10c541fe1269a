import av
import numpy as np
import pytest

from pipeline.segment.encode import write_audio
from tests.segment.sounds import RATE, decoded, music


@pytest.mark.parametrize(("format", "codec"), [("mp3", "mp3float"), ("flac", "flac"), ("ogg", "vorbis")])
def test_each_format(format, codec, tmp_path):
    samples, path = music(1, 6), tmp_path / f"a.{format}"
    write_audio(path, samples, RATE, format, 64000)
    first = path.read_bytes()
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == (codec, RATE, 1)
    again = decoded(path)
    assert len(again) == pytest.approx(len(samples), abs=0 if format != "ogg" else 256)
    assert np.corrcoef(samples, again[: len(samples)])[0, 1] > 0.99
    assert np.array_equal(samples, again) == (format == "flac")
    write_audio(path, samples, RATE, format, 64000)
    assert path.read_bytes() == first


@pytest.mark.parametrize("format", ["mp3", "ogg"])
def test_the_bit_rate(format, tmp_path):
    samples, sizes = music(1, 20), []
    for bit_rate in (32000, 64000, 80000):
        write_audio(tmp_path / "a", samples, RATE, format, bit_rate)
        sizes.append((tmp_path / "a").stat().st_size * 8 / 20)
    assert sizes == sorted(sizes)
    # Vorbis's bit rate is nominal: music with so few notes takes less.
    assert sizes == pytest.approx([32000, 64000, 80000], rel=0.02 if format == "mp3" else 0.4)
