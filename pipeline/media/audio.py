"""Recordings as streams: any container in, frames or mono samples out, a block at a time; and samples as MP3.

Files come from strangers: only the containers of `SUFFIXES` are opened, and nothing that such a file points to. What
cannot be decoded is skipped packet by packet, as players do, and shows in the decoded length.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import lameenc
import numpy as np
from av.container import InputContainer
from av.filter import Graph

SUFFIXES = {  # FFmpeg's name of the container: the suffix of our file; none that is a list of other files
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
    "ac3": ".ac3",
    "amr": ".amr",
    "ape": ".ape",
    "au": ".au",
    "avi": ".avi",
    "caf": ".caf",
    "dsf": ".dsf",
    "dts": ".dts",
    "eac3": ".eac3",
    "flv": ".flv",
    "mpc": ".mpc",
    "mpc8": ".mpc",
    "mpeg": ".mpg",
    "nut": ".nut",
    "rm": ".rm",
    "tak": ".tak",
    "tta": ".tta",
    "voc": ".voc",
    "w64": ".w64",
    "wv": ".wv",
}
OPTIONS = {"format_whitelist": ",".join(SUFFIXES), "protocol_whitelist": "file"}
BLOCK = 1 << 16  # samples of a channel that are gathered before they are resampled

LAME_QUALITY = 3  # LAME's own default, and so that of the ffmpeg program
LAME_DELAY = 576  # samples that LAME puts in front
BIT_RATES = (  # kbit/s of MPEG-2 and MPEG-1 Layer III by the header's four bits less one (ISO/IEC 11172-3 and 13818-3)
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)


class NotAudioError(Exception):
    """A file holds no audio that can be decoded; becomes a row."""


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Yield the open container of `path`; raise `NotAudioError` unless it is one of `SUFFIXES` and holds audio.

    Bytes of tags that are not UTF-8, as in old MP3s, are halves of characters in its metadata.
    """
    try:
        container = av.open(str(path), options=OPTIONS, metadata_errors="surrogateescape")
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
        graph: Graph | None = None
        shape, gathered = None, 0
        for frame in frames(container):
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if graph is None or shape != found:  # may change within a recording
                if graph is not None:
                    graph.push(None)
                    yield from _pulled(graph)
                graph, shape, gathered = _mixer(frame, sample_rate), found, 0
            graph.push(frame)
            gathered += frame.samples
            if gathered >= BLOCK:  # to pull after each frame would take longer than to decode it
                yield from _pulled(graph)
                gathered = 0
        if graph is not None:
            graph.push(None)
            yield from _pulled(graph)


def write_mp3(path: Path, samples: np.ndarray, sample_rate: int, bit_rate: int) -> None:
    """Write int16 mono `samples` [t] as MP3; the same samples give the same bytes.

    By LAME through lameenc: in the wheels of PyAV it is built without its vector code and takes 2.7 times as long.
    """
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(sample_rate)
    encoder.set_out_sample_rate(sample_rate)
    encoder.set_bit_rate(round(bit_rate / 1000))
    encoder.set_quality(LAME_QUALITY)
    data = bytes(encoder.encode(samples.astype("<i2", copy=False).tobytes()) + encoder.flush())
    path.write_bytes(_info_frame(data, len(samples), sample_rate) + data)


def _mixer(frame: av.AudioFrame, sample_rate: int) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format.name, layout=frame.layout.name, time_base=frame.time_base
    )
    gather = graph.add("asetnsamples", nb_out_samples=str(BLOCK), pad="0")
    # To int16: only then does FFmpeg scale the mix so that it cannot clip, whatever the codec's own format.
    mix = graph.add("aformat", sample_rates=str(sample_rate), sample_fmts="s16", channel_layouts="mono")
    graph.link_nodes(source, gather, mix, graph.add("abuffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[np.ndarray]:
    while True:
        try:
            block = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield block.to_ndarray()[0]


def _info_frame(data: bytes, length: int, sample_rate: int) -> bytes:
    """Return the frame of LAME's tag, which tells players how much of the beginning and end is padding.

    An MP3 frame of silence, whose data are `Info`, flags, frames, bytes, and LAME's extension (Mp3 Info Tag rev 1).
    """
    mpeg1 = sample_rate >= 32000
    rates, slots, side, per_frame = BIT_RATES[mpeg1], (144 if mpeg1 else 72), (17 if mpeg1 else 9), (576, 1152)[mpeg1]
    kbits = rates[(data[2] >> 4) - 1]
    count = round(len(data) * sample_rate / (slots * kbits * 1000))
    header = bytes([data[0], data[1], (rates.index(64) + 1) << 4 | data[2] & 0x0C, data[3]])
    padding = LAME_DELAY << 12 | max(0, count * per_frame - LAME_DELAY - length)
    tag = b"Info" + struct.pack(">III", 3, count, slots * 64000 // sample_rate + len(data))
    tag += b"LAME3.100" + bytes(12) + padding.to_bytes(3, "big")
    return (header + bytes(side) + tag).ljust(slots * 64000 // sample_rate, b"\0")
