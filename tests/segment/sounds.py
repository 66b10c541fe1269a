"""Music and tones of known content, written in any container."""

from functools import cache
from pathlib import Path

import av
import numpy as np

from pipeline.media.audio import mono

RATE = 22050  # Hz, of the pieces
CODECS = {
    ".m4a": ("aac", 44100),
    ".webm": ("libopus", 48000),
    ".mp3": ("libmp3lame", 44100),
    ".ogg": ("libopus", 48000),
    ".flac": ("flac", 44100),
    ".wav": ("pcm_s16le", 22050),
    ".ts": ("aac", 44100),
    ".aac": ("aac", 44100),
    ".wma": ("wmav2", 44100),
    ".aiff": ("pcm_s16be", 44100),
    ".caf": ("alac", 44100),
    ".au": ("pcm_s16be", 44100),
    ".w64": ("pcm_s24le", 48000),
    ".avi": ("ac3", 48000),
    ".flv": ("aac", 44100),
    ".ac3": ("ac3", 48000),
    ".eac3": ("eac3", 48000),
    ".tta": ("tta", 44100),
    ".wv": ("wavpack", 44100),
    ".mpg": ("mp2", 44100),
    ".voc": ("pcm_u8", 22050),
    ".nut": ("pcm_f32le", 44100),
    ".rm": ("ac3", 44100),
}


def music(seed: int, seconds: float, semitones: int = 0, tempo: float = 1.0) -> np.ndarray:
    """Return int16 samples [t] of 22,050 Hz: notes drawn with `seed`, with overtones and a beat."""
    dice = np.random.default_rng(seed)
    beat = round(0.25 * RATE / tempo)
    wave = np.zeros(round(seconds * RATE) + 8 * beat)
    for begin in range(0, round(seconds * RATE), beat):
        for _ in range(2):
            note = _note(int(dice.integers(36)) + semitones, tempo, 4 * beat)
            wave[begin : begin + 4 * beat] += note * dice.random()
        click = round(0.03 * RATE)
        wave[begin : begin + click] += 0.5 * dice.standard_normal(click) * dice.random()
    wave = wave[: round(seconds * RATE)]
    return (0.5 * 32767 * wave / np.abs(wave).max()).astype(np.int16)


@cache
def _note(semitones: int, tempo: float, samples: int) -> np.ndarray:
    hertz, t = 110 * 2 ** (semitones / 12), np.arange(samples) / RATE
    return sum(np.sin(2 * np.pi * hertz * n * t) / n for n in range(1, 6)) * np.exp(-t / (0.3 / tempo))


def tone(hertz: float, seconds: float, rate: int = RATE, level: float = 0.4) -> np.ndarray:
    """Return int16 samples [t] of a sine."""
    return (level * 32767 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def decoded(path: Path, rate: int = RATE) -> np.ndarray:
    """Return all samples of a file."""
    return np.concatenate([np.empty(0, np.int16), *mono(path, rate)])


def pitch(samples: np.ndarray) -> float:
    """Return the strongest frequency of samples of 22,050 Hz, in Hz."""
    return np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples)


def write(path: Path, wave: np.ndarray, rate: int, suffix: str, layout: str, bit_rate: int | None) -> None:
    """Encode int16 mono samples [t] of `rate` Hz."""
    codec, file_rate = CODECS[suffix]
    frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=file_rate, layout=layout)
        stream.bit_rate = bit_rate or 128_000
        container.mux(stream.encode(frame) + stream.encode(None))
