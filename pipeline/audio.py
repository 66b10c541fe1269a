"""Recordings as streams: any container in, frames or mono samples out, a block at a time.

Files come from strangers: only the containers of `SUFFIXES` are opened, and nothing that such a file points to. What
cannot be decoded is skipped packet by packet, as players do, and shows in the decoded length.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

SUFFIXES = {  # FFmpeg's name of the container: the suffix of our file
    "matroska,webm": ".webm",
    "mov,mp4,m4a,3gp,3g2,mj2": ".m4a",
    "mp3": ".mp3",
    "ogg": ".ogg",
    "flac": ".flac",
    "wav": ".wav",
    "aac": ".aac",
    "aiff": ".aiff",
    "asf": ".wma",
    "mpegts": ".ts",
}
OPTIONS = {"format_whitelist": ",".join(SUFFIXES), "protocol_whitelist": "file"}


class NotAudioError(Exception):
    """A file holds no audio that can be decoded; becomes a row."""


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Yield the open container of `path`; raise `NotAudioError` unless it is one of `SUFFIXES` and holds audio."""
    try:
        container = av.open(str(path), options=OPTIONS)
    except OSError:
        raise
    except av.FFmpegError as error:
        raise NotAudioError(f"it is no audio file that can be decoded ({error.strerror})") from None
    with container:
        if not container.streams.audio:
            raise NotAudioError(f"it holds no audio ({container.format.long_name})")
        yield container


def frames(container: InputContainer) -> Iterator[av.AudioFrame]:
    """Yield the decoded frames of the first audio stream, up to where it can be read."""
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets, None)
        except OSError:
            raise
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            continue
        yield from decoded


def mono(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the recording as int16 blocks [t]: the mean of its channels, resampled to `sample_rate` Hz."""
    with opened(path) as container:
        resampler, shape = None, None
        for frame in frames(container):
            if shape != (frame.format.name, frame.layout.name, frame.sample_rate):  # may change within a recording
                if resampler is not None:
                    yield from _blocks(resampler, None)
                # To int16: only then does FFmpeg scale the mix so that it cannot clip, whatever the codec's own format.
                resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            yield from _blocks(resampler, frame)
        if resampler is not None:
            yield from _blocks(resampler, None)


def write_mp3(path: Path, samples: np.ndarray, sample_rate: int, bit_rate: int) -> None:
    """Write int16 mono `samples` [t] as MP3; the same samples give the same bytes."""
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sample_rate, layout="mono")
        stream.bit_rate = bit_rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _blocks(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[np.ndarray]:
    for block in resampler.resample(frame):
        yield block.to_ndarray()[0]
