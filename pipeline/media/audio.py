"""Decoding of recordings to frames or mono samples, block by block, and encoding of samples as MP3.

Files are untrusted: only the containers of `SUFFIXES` are opened, and no files to which they refer. Undecodable
packets are skipped, as players do, which shows in the decoded length. Other failures are a `NotAudioError`; only disk
errors are an `OSError`. A crash in a decoder ends this process: `pipeline.media.sandbox` decodes in another one.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import lameenc
import numpy as np
from av.audio.frame import format_dtypes
from av.container import InputContainer
from av.filter import Graph

from pipeline.core.files import sha256_of
from pipeline.core.text import one_line

SUFFIXES = {  # FFmpeg's name of the container: the suffix of our file; no formats that refer to other files
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
BLOCK = 1 << 16  # samples per channel that are collected before resampling
CANCELLED = 0.02  # energy of the channels' sum over the sum of their energies: 1 if uncorrelated, 0 if opposite
U8_ZERO = 128  # zero of unsigned samples
REASON_CHARS = 200
TAG_CHARS = 4096

LAME_QUALITY = 3  # the default of LAME and of the ffmpeg program
LAME_DELAY = 576  # samples that LAME prepends
BIT_RATES = (  # kbit/s of MPEG-2 and MPEG-1 Layer III by the header's four bits less one (ISO/IEC 11172-3 and 13818-3)
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)

Source = tuple[str, str, int]  # sample format, layout, rate in Hz


class NotAudioError(Exception):
    """A file has no decodable audio; becomes a row."""


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Yield the open container of `path`; raise `NotAudioError` unless it is one of `SUFFIXES` and has audio.

    Exceptions of PyAV in the block are also raised as `NotAudioError`. Non-UTF-8 bytes in tags, as in old MP3s, are
    surrogates in its metadata.
    """
    try:
        with av.open(str(path.absolute()), options=OPTIONS, metadata_errors="surrogateescape") as container:
            if not container.streams.audio:
                raise NotAudioError(f"it has no audio ({container.format.long_name})")
            if container.streams.audio[0].codec_context is None:
                raise NotAudioError("no decoder for its audio is known")
            yield container
    except NotAudioError:
        raise
    except Exception as error:  # a damaged or hostile file may cause any exception
        _raise_of_disk(error, path)
        raise NotAudioError(reason_of(error)) from None


def frames(container: InputContainer) -> Iterator[av.AudioFrame]:
    """Yield the decoded frames of the first audio stream, as far as it can be read."""
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            _raise_of_disk(error, Path(container.name))
            return
        if packet is None:
            return
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            continue
        yield from decoded


def metadata(path: Path) -> dict[str, str]:
    """Return the tags of the file at `path` by their names in lower case; raise as `opened` does.

    Tags of the whole file take precedence over those of its audio stream.
    """
    with opened(path) as container:
        tags = {**container.streams.audio[0].metadata}, {**container.metadata}
        return {name.lower(): text[:TAG_CHARS] for of_one in tags for name, text in of_one.items()}


def mono(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the recording as int16 blocks [t]: its channels mixed, resampled to `sample_rate` Hz.

    The mix is FFmpeg's, for two channels their mean; for layouts that FFmpeg cannot mix (ambisonics, nine channels) the
    mean. If channels cancel out (a stereo file in opposite phase), a single channel is used for that block: the last
    one used, at first channel 0, unless another has twice its energy. Raises `NotAudioError` if it cannot be decoded,
    and for samples that are NaN or infinite.
    """
    with opened(path) as container:
        mixer: _Mixer | None = None
        for frame in frames(container):
            if mixer is None or not mixer.takes(frame):  # may change within a recording
                if mixer is not None:
                    yield from mixer.rest()
                mixer = _Mixer(frame, sample_rate)
            yield from mixer.mixed(frame)
        if mixer is not None:
            yield from mixer.rest()


def reason_of(error: Exception) -> str:
    """Return the reason for a row from an exception in decoding."""
    if isinstance(error, MemoryError):
        return "out of memory while decoding it"
    if isinstance(error, av.FFmpegError):
        return f"not a decodable audio file ({error.strerror})"
    return one_line(f"it cannot be decoded ({type(error).__name__}: {error})", REASON_CHARS)


def write_mp3(path: Path, samples: np.ndarray, sample_rate: int, bit_rate: int) -> None:
    """Write int16 mono `samples` [t] as MP3; the same samples result in the same bytes.

    Uses LAME through lameenc: PyAV's wheels have a build without vector code, which takes 2.7 times as long.
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


class _Mixer:
    """Converts frames of one format, layout and rate to mono blocks.

    Frames are collected first: examining or pulling each frame would take longer than decoding it.
    """

    def __init__(self, frame: av.AudioFrame, sample_rate: int) -> None:
        self._source = _source_of(frame)
        name, layout, rate = self._source
        known = name if name in format_dtypes else "dblp"  # PyAV cannot convert others to arrays
        self._size = max(1, min(BLOCK, BLOCK * rate // sample_rate))  # low rates expand to many samples
        self._gathered = 0
        self._chosen = 0  # the last channel used alone
        size = {"nb_out_samples": str(self._size), "pad": "0"}
        self._gather = _graph(self._source, {"aformat": {"sample_fmts": known}, "asetnsamples": size})
        # To int16: only then does FFmpeg scale the mix to avoid clipping, for all formats of codecs.
        mix = {"aformat": {"sample_rates": str(sample_rate), "sample_fmts": "s16", "channel_layouts": "mono"}}
        self._layout, self._channels = layout, frame.layout.nb_channels
        try:
            self._mix = _graph((known, layout, rate), mix)
        except av.FFmpegError:
            self._layout, self._channels = "mono", 1
            self._mix = _graph((known, "mono", rate), mix)

    def takes(self, frame: av.AudioFrame) -> bool:
        return _source_of(frame) == self._source

    def mixed(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        """Add a frame and yield the blocks that are ready."""
        self._gather.push(frame)
        self._gathered += frame.samples
        if self._gathered >= self._size:
            self._gathered = 0
            yield from self._blocks()

    def rest(self) -> Iterator[np.ndarray]:
        """Yield the remaining blocks; no frames can be added afterwards."""
        self._gather.push(None)
        yield from self._blocks()
        self._mix.push(None)
        yield from (block.to_ndarray()[0] for block in _pulled(self._mix))

    def _blocks(self) -> Iterator[np.ndarray]:
        for gathered in _pulled(self._gather):
            self._mix.push(self._mixable(gathered))
            yield from (block.to_ndarray()[0] for block in _pulled(self._mix))

    def _mixable(self, block: av.AudioFrame) -> av.AudioFrame:
        """Return the block, or one with equal channels for FFmpeg to mix instead."""
        channels = _channels(block)
        kind = channels[0].dtype.kind
        with np.errstate(over="ignore", invalid="ignore"):
            waves = [channel.astype(np.float32, copy=False) for channel in channels]
            if kind == "u":
                waves = [wave - U8_ZERO for wave in waves]
            energies = np.array([wave @ wave for wave in waves])
            if kind == "f" and not np.isfinite(energies).all() and not all(np.isfinite(c).all() for c in channels):
                raise NotAudioError("it has samples that are NaN or infinite")
            total = sum(waves[1:], waves[0])
            cancelled = total @ total < CANCELLED * energies.sum()
        if cancelled:
            energies[self._chosen] *= 2
            self._chosen = int(energies.argmax())
            one = channels[self._chosen]
        elif self._channels < len(channels):
            mean = np.mean(channels, axis=0)
            one = (mean if kind == "f" else mean.round()).astype(channels[0].dtype)
        else:
            return block
        equal = np.tile(one, (self._channels, 1))
        equal = equal if block.format.is_planar else equal.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(equal), block.format.name, self._layout)
        frame.sample_rate, frame.time_base, frame.pts = block.sample_rate, block.time_base, block.pts
        return frame


def _channels(block: av.AudioFrame) -> list[np.ndarray]:
    """Return the samples [t] of each channel, as views of the block's memory."""
    planes = [np.frombuffer(memoryview(plane), format_dtypes[block.format.name]) for plane in block.planes]
    if block.format.is_planar:
        return [plane[: block.samples] for plane in planes]
    count = block.layout.nb_channels
    return list(planes[0][: block.samples * count].reshape(-1, count).T)


def _source_of(frame: av.AudioFrame) -> Source:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _graph(source: Source, filters: dict[str, dict[str, str]]) -> Graph:
    graph = Graph()
    name, layout, rate = source
    nodes = [graph.add_abuffer(sample_rate=rate, format=name, layout=layout, time_base=Fraction(1, rate))]
    nodes += [graph.add(filter_, **options) for filter_, options in filters.items()]
    graph.link_nodes(*nodes, graph.add("abuffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.AudioFrame), "it is a graph of audio"
        yield frame


def _raise_of_disk(error: Exception, path: Path) -> None:
    """Raise disk errors. FFmpeg has system errors for damaged files too, therefore the file is read here."""
    if isinstance(error, OSError):
        if not isinstance(error, av.FFmpegError):
            raise error
        sha256_of(path)


def _info_frame(data: bytes, length: int, sample_rate: int) -> bytes:
    """Return the frame of LAME's tag, which gives players the padding at the beginning and end.

    A silent MP3 frame with the data `Info`, flags, frames, bytes, and LAME's extension (Mp3 Info Tag rev 1).
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
