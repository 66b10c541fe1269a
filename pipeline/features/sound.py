"""Tempo, key and loudness of a piece of music, for display and filters.

The tempo is librosa's estimate: the most likely period of onset strength, with a prior for tempos near 120 beats per
minute (D. Ellis, 2007, Beat tracking by dynamic programming). It may be half or twice the notated tempo.

The key is the one of 24 whose profile correlates best with the pitch classes (C. Krumhansl, 1990, Cognitive foundations
of musical pitch). The profiles are those of H. Bellman (2005, About the determination of key of a musical excerpt),
based on H. Budge's counts of chords. On 154 excerpts of chorales and fiddle tunes, rendered by a simple synthesiser,
they were more accurate than those of Krumhansl and Kessler, Temperley, Albrecht and Shanahan, and Sapp.

Everything is computed at one sample rate, to be independent of the decoding rate, and on the middle `MOST_SECONDS` of
longer pieces, to limit memory. Axis: t samples.
"""

import fcntl
import os
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from pipeline.encoders.section import SoundFeatures
from pipeline.media.loudness import loudness_lufs
from pipeline.media.tracks import INT16_SCALE

VERSION = 1  # part of the cache key: raise when tempo or key of the same samples change
MOST_SECONDS = 120.0
HOP_SECONDS, FRAME_SECONDS = 0.016, 0.064  # of the spectra for onset detection
CHROMA_SECONDS = 0.512  # length of a spectrum that resolves semitones
STRETCH_SECONDS, STRETCH_HOP = 8.0, 8  # length of a stretch of the tempogram; frames between stretches
TEMPO_SPREAD = 1.5  # standard deviation of the tempo prior, in octaves
LEAST_BEATS = 4  # in a piece with a tempo
PRECISE_BEATS = 8  # over which the tempo is refined
LEAST_ONSET = 2.0  # dB, increase of the spectrum at the strongest onset; held notes have less
TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROFILES = {  # of the degrees in semitones above the tonic
    "major": (16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
    "minor": (18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
}
COMPILED_ON_IMPORT = ("librosa.util", "librosa.core.pitch", "librosa.onset", "librosa.feature", "librosa.filters")
KEYS = {
    f"{tonic} {mode}": np.roll(profile, number)
    for mode, profile in PROFILES.items()
    for number, tonic in enumerate(TONICS)
}


@cache
def import_librosa() -> ModuleType:
    """Return librosa, imported by one process at a time.

    The first import compiles functions and stores them in librosa's folder. numba writes that cache without a lock: two
    first imports at once leave an index with entries of the wrong function, and all later uses crash.

    Raises:
        ModuleNotFoundError: librosa is not installed.
    """
    spec = find_spec("librosa")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("librosa is not installed: pip install -r requirements.txt", name="librosa")
    # the file to lock exists wherever librosa does; network file systems lock only files open for writing
    with Path(spec.origin).open("r+b" if os.access(spec.origin, os.W_OK) else "rb") as locked:
        with suppress(OSError):
            fcntl.flock(locked, fcntl.LOCK_EX)
        for name in COMPILED_ON_IMPORT:
            import_module(name)
        return import_module("librosa")


class Sound(NamedTuple):
    """Tempo, key and loudness of a piece."""

    tempo: float | None  # beats per minute; None without a clear beat
    key: str  # of `KEYS`; empty without a clear key
    loudness: float | None  # LUFS; None for silence


def describe(samples: np.ndarray, sample_rate: int, params: SoundFeatures) -> Sound:
    """Return tempo, key and loudness of int16 mono `samples` [t]; deterministic."""
    loudness = loudness_lufs(samples, sample_rate)
    most = round(MOST_SECONDS * sample_rate)
    start = max(0, len(samples) - most) // 2
    wave = samples[start : start + most].astype(np.float32) / INT16_SCALE
    if loudness is None or not wave.any():
        return Sound(None, "", loudness)
    wave = _at_rate(wave, sample_rate, params.sample_rate)
    return Sound(_tempo(wave, params), _key(wave, params), loudness)


def _at_rate(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return `wave` resampled to the rate `wanted`, padded to the length of the longest spectrum."""
    librosa = import_librosa()
    if rate != wanted:
        wave = librosa.resample(wave, orig_sr=rate, target_sr=wanted)
    return np.pad(wave, (0, max(0, round(CHROMA_SECONDS * wanted) - len(wave))))


def _tempo(wave: np.ndarray, params: SoundFeatures) -> float | None:
    librosa = import_librosa()
    rate = params.sample_rate
    hop, frame = round(HOP_SECONDS * rate), round(FRAME_SECONDS * rate)
    onsets = librosa.onset.onset_strength(y=wave, sr=rate, n_fft=frame, hop_length=hop)
    if onsets.max() < LEAST_ONSET:
        return None
    (tempo,) = librosa.feature.tempo(
        tg=_tempogram(onsets, round(STRETCH_SECONDS * rate / hop)),
        sr=rate,
        hop_length=hop,
        start_bpm=params.usual_tempo,
        std_bpm=TEMPO_SPREAD,
    )
    period = round(60 * rate / hop / float(tempo))
    if len(onsets) < LEAST_BEATS * period:
        return None
    pulse, precise = _pulse(onsets, period)
    return round(60 * rate / hop / precise, 1) if pulse >= params.least_pulse else None


def _tempogram(onsets: np.ndarray, length: int) -> np.ndarray:
    """Return librosa's tempogram [lags, stretches] for stretches of `length` frames.

    librosa has one stretch per frame; here they are further apart, which takes a quarter of the time and hardly changes
    the mean.
    """
    librosa = import_librosa()
    padded = np.pad(onsets, length // 2, mode="linear_ramp", end_values=0)
    stretches = librosa.util.frame(padded, frame_length=length, hop_length=STRETCH_HOP)
    repeats = librosa.autocorrelate(stretches * librosa.filters.get_window("hann", length)[:, np.newaxis], axis=0)
    return librosa.util.normalize(repeats, norm=np.inf, axis=0)


def _pulse(onsets: np.ndarray, period: int) -> tuple[float, float]:
    """Return the highest autocorrelation of `onsets` within one frame of `period`, and the refined fractional period.

    The refinement searches the lag of several beats, within half a frame per beat.
    """
    librosa = import_librosa()
    beats = min(PRECISE_BEATS, len(onsets) // period // 2)
    found = librosa.autocorrelate(onsets - onsets.mean(), max_size=beats * period + beats // 2 + 2)
    found *= len(onsets) / (len(onsets) - np.arange(len(found))) / found[0]  # unbiased: divided by the number of pairs
    first = beats * period - beats // 2
    after = first + int(found[first : first + beats // 2 * 2 + 1].argmax())
    return float(found[period - 1 : period + 2].max()), after / beats


def _key(wave: np.ndarray, params: SoundFeatures) -> str:
    librosa = import_librosa()
    frame = round(CHROMA_SECONDS * params.sample_rate)
    spectrum = np.abs(librosa.stft(wave, n_fft=frame, hop_length=frame // 4))
    pitches, heights = librosa.piptrack(S=spectrum, sr=params.sample_rate, n_fft=frame)
    is_pitch = pitches > 0
    if not is_pitch.any():
        return ""
    tuning = librosa.pitch_tuning(pitches[is_pitch & (heights >= np.median(heights[is_pitch]))])
    chroma = librosa.feature.chroma_stft(S=spectrum**2, sr=params.sample_rate, n_fft=frame, tuning=tuning)
    classes = chroma.mean(axis=1)
    fits = {key: float(np.corrcoef(profile, classes)[0, 1]) for key, profile in KEYS.items()}
    best = max(fits, key=lambda key: fits[key])
    return best if fits[best] >= params.least_key_fit else ""
