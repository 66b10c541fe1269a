"""Segments as files: MP3, FLAC or Ogg Vorbis. The same samples result in the same bytes."""

import io
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import soundfile

from pipeline.media.audio import write_mp3

QUALITY_STEPS = 100  # between libvorbis's worst and best quality


def write_audio(path: Path, samples: np.ndarray, sample_rate: int, format: str, bit_rate: int) -> None:
    """Write int16 mono `samples` [t] as mp3, flac or ogg. FLAC is lossless and ignores `bit_rate` (bit/s)."""
    if format == "mp3":
        write_mp3(path, samples, sample_rate, bit_rate)
    elif format == "flac":
        _write_flac(path, samples, sample_rate)
    else:
        _write_ogg(path, samples, sample_rate, bit_rate)


def _write_flac(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    with av.open(str(path), "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=sample_rate, layout="mono")
        container.mux(stream.encode(frame) + stream.encode(None))


def _write_ogg(path: Path, samples: np.ndarray, sample_rate: int, bit_rate: int) -> None:
    """Write Vorbis with libsndfile, remuxed to remove its random stream serial number."""
    encoded = io.BytesIO(_vorbis(samples, sample_rate, _level(sample_rate, bit_rate)))
    with (
        av.open(encoded, "r", format="ogg") as source,
        av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                container.mux(packet)


def _vorbis(samples: np.ndarray, sample_rate: int, level: int) -> bytes:
    data = io.BytesIO()
    compression = level / QUALITY_STEPS
    soundfile.write(data, samples, sample_rate, format="OGG", subtype="VORBIS", compression_level=compression)
    return data.getvalue()


@lru_cache
def _level(sample_rate: int, bit_rate: int) -> int:
    """Return the compression, 0 to `QUALITY_STEPS`, whose nominal bit rate is nearest to `bit_rate`.

    libsndfile has no option for the bit rate, but the header of its output has the nominal rate of the quality.
    """
    few = np.zeros(sample_rate // 10, np.int16)
    low, high = 0, QUALITY_STEPS
    while low < high:  # higher compression, lower rate
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _nominal(_vorbis(few, sample_rate, middle)) > bit_rate else (low, middle)
    near = [level for level in (low - 1, low) if level >= 0]
    return min(near, key=lambda level: abs(_nominal(_vorbis(few, sample_rate, level)) - bit_rate))


def _nominal(data: bytes) -> int:
    """Return the bit rate in Vorbis's identification header, after marker, version, channels, rate and maximum."""
    begin = data.index(b"\x01vorbis") + 20
    return int.from_bytes(data[begin : begin + 4], "little")
