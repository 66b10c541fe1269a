"""Music for the embedded sample corpus: real public-domain compositions arranged for a scene, as in a silent cinema.

The musicians of a silent cinema chose a classical passage for the mood of every scene, and played it with the house
band. `arrange` does the same: the mood selects a composition from `pieces.yaml` and the style (`arrangement`), the
ensemble the timbre (`ensembles`), a random generator everything else. `encode` stores a cue in one of the usual
containers of soundtracks.

Conventions: sound is mono float32 at 24 kHz within -1 to 1. Equal arguments and generator states give equal samples,
and equal samples give equal bytes. Only maintainers run this: requirements.txt lists the Python packages,
`performance` the system packages.
"""

import functools
import io
import pathlib
from typing import NamedTuple

import av
import numpy as np
import soundfile
import yaml
from arrangement import MOODS, STYLES, set_for_mood
from ensembles import ENSEMBLES
from numpy.random import Generator
from patterns import Note
from performance import SAMPLE_RATE, perform
from scores import read

__all__ = ["ENSEMBLES", "MOODS", "SAMPLE_RATE", "Cue", "Piece", "arrange", "encode", "pieces"]

TABLE = pathlib.Path(__file__).with_name("pieces.yaml")
PEAK = 0.9
LOUDNESS_SPREAD = 2.0  # decibels up or down
FADE_IN, FADE_OUT = 0.005, 0.15
TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
ENCODERS = {  # container: (PyAV format, codec, sample format)
    "m4a": ("ipod", "aac", "fltp"),
    "webm": ("webm", "libopus", "flt"),
    "mp3": ("mp3", "libmp3lame", "fltp"),
}
BITEXACT = {"fflags": "+bitexact"}  # omits dates, versions and random serial numbers
CODEC_OPTIONS = {"libopus": {"vbr": "constrained"}}  # free VBR uses 50 % more for sustained organ chords
VORBIS_COMPRESSION = 1.0  # libvorbis quality 0, the lowest that libsndfile supports
VORBIS_RATE = 16_000  # 23 kbit/s; 30 kbit/s at 24 kHz


class Piece(NamedTuple):
    id: str
    composer: str
    title: str
    source: str
    moods: tuple[str, ...]
    rights: str
    bars: tuple[int, int] | None


class Cue(NamedTuple):
    samples: np.ndarray
    piece: str
    key: str
    tempo: float  # beats a minute


class Composed(NamedTuple):
    """A cue before it is performed."""

    notes: list[Note]
    loudness: float  # RMS, dB below full scale
    piece: str
    key: str
    tempo: float  # beats a minute


@functools.lru_cache(maxsize=1)
def pieces() -> tuple[Piece, ...]:
    """The compositions, with their moods and licences."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return tuple(
        Piece(
            row["id"],
            table["composers"][row["composer"]],
            row["title"],
            row["source"],
            tuple(row["moods"]),
            table["rights"][row["rights"]],
            tuple(row["bars"]) if "bars" in row else None,
        )
        for row in table["pieces"]
    )


def arrange(mood: str, ensemble: str, seconds: float, rng: Generator) -> Cue:
    """A passage of a composition for the mood, played by the ensemble, of exactly the given length in seconds."""
    composed = compose(mood, seconds, rng)
    samples = _finished(perform(composed.notes, ensemble, seconds), composed.loudness)
    return Cue(samples, composed.piece, composed.key, composed.tempo)


def compose(mood: str, seconds: float, rng: Generator) -> Composed:
    """Return the arrangement that `arrange` performs, with the same use of the generator."""
    pool = [piece for piece in pieces() if mood in piece.moods]
    piece = pool[int(rng.integers(len(pool)))]
    arranged = set_for_mood(read(piece.source, *(piece.bars or ())), mood, seconds, rng)
    loudness = STYLES[mood].loudness + rng.uniform(-LOUDNESS_SPREAD, LOUDNESS_SPREAD)
    key = f"{TONICS[arranged.tonic]} {arranged.mode}"
    return Composed(arranged.notes, loudness, piece.id, key, round(arranged.tempo, 1))


def _finished(samples: np.ndarray, loudness: float) -> np.ndarray:
    """Return the sound at a loudness (dB RMS), limited by its peak, with short fades."""
    gain = 10 ** (loudness / 20) / np.sqrt(np.mean(samples.astype(float) ** 2))
    gain = min(gain, PEAK / np.abs(samples).max())
    times = np.arange(len(samples)) / SAMPLE_RATE
    fade = np.minimum(1, np.minimum((times + 1 / SAMPLE_RATE) / FADE_IN, (times[-1] - times) / FADE_OUT))
    return (samples * gain * fade).astype(np.float32)


def encode(samples: np.ndarray, container: str, bitrate: int) -> bytes:
    """Return the bytes of an audio file: m4a (AAC), webm (Opus), mp3, or ogg (Vorbis at a fixed low quality)."""
    if container == "ogg":
        return _vorbis(samples)
    form, codec, layout = ENCODERS[container]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form, options=BITEXACT) as output:
        stream = output.add_stream(
            codec,
            rate=SAMPLE_RATE,
            layout="mono",
            format=layout,
            bit_rate=bitrate,
            options=CODEC_OPTIONS.get(codec, {}),
        )
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        output.mux(stream.encode(_frame(samples, layout)))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def _frame(samples: np.ndarray, layout: str) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], layout, "mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    return frame


def _vorbis(samples: np.ndarray) -> bytes:
    """Encode with libsndfile, as PyAV's Vorbis encoder is stereo only; PyAV then replaces the random serial number."""
    encoded, buffer = io.BytesIO(), io.BytesIO()
    resampler = av.AudioResampler(format="flt", layout="mono", rate=VORBIS_RATE)
    frames = resampler.resample(_frame(samples, "flt")) + resampler.resample(None)
    soundfile.write(
        encoded,
        np.concatenate([frame.to_ndarray()[0] for frame in frames]),
        VORBIS_RATE,
        format="OGG",
        subtype="VORBIS",
        compression_level=VORBIS_COMPRESSION,
    )
    encoded.seek(0)
    with av.open(encoded) as source, av.open(buffer, "w", format="ogg", options=BITEXACT) as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return buffer.getvalue()
