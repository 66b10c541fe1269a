"""What a piece of music sounds like, for people and for filters: its tempo, its key and its loudness.

The tempo is that of librosa: of the periods at which the strength of onsets repeats, the likeliest, where tempos near
120 beats per minute are likelier than others (D. Ellis, 2007, Beat tracking by dynamic programming). Music whose beats
all halves or doubles fit as well may so have twice or half the tempo that its composer wrote.

The key is the one of 24 whose profile correlates best with the pitch classes that sound (C. Krumhansl, 1990, Cognitive
foundations of musical pitch). The profiles are those of H. Bellman (2005, About the determination of key of a musical
excerpt), after H. Budge's counts of chords. On 154 excerpts of chorales and fiddle tunes, rendered by a plain
synthesiser, they were right more often than those of Krumhansl and Kessler, Temperley, Albrecht and Shanahan, and Sapp.

Everything is computed at one sample rate, so that the rate at which a file was decoded does not count, and of a longer
piece in its middle `MOST_SECONDS`, so that memory does not grow with it. Axis: t samples.
"""

from typing import NamedTuple

import numpy as np

from pipeline.encoders.section import SoundFeatures
from pipeline.media.loudness import loudness_lufs
from pipeline.media.tracks import INT16_SCALE

VERSION = 1  # raise when the same samples would give another tempo or key, which are kept by it
MOST_SECONDS = 120.0
HOP_SECONDS, FRAME_SECONDS = 0.016, 0.064  # of the spectra in which onsets are looked for
CHROMA_SECONDS = 0.512  # a spectrum in which semitones are told apart
STRETCH_SECONDS, STRETCH_HOP = 8.0, 8  # over which onsets repeat; frames from one to the next
TEMPO_SPREAD = 1.5  # octaves by which likely tempos differ from the usual one
LEAST_BEATS = 4  # that a piece holds which has a tempo
PRECISE_BEATS = 8  # over which the tempo is measured
LEAST_ONSET = 2.0  # dB by which the spectrum grows at the strongest onset: a held note has less
TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROFILES = {  # of the degrees in semitones above the tonic
    "major": (16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
    "minor": (18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
}
KEYS = {
    f"{tonic} {mode}": np.roll(profile, number)
    for mode, profile in PROFILES.items()
    for number, tonic in enumerate(TONICS)
}


class Sound(NamedTuple):
    """What a piece sounds like."""

    tempo: float | None  # beats per minute; None where there is no clear beat
    key: str  # of `KEYS`; empty where none is clear
    loudness: float | None  # LUFS; None for silence


def describe(samples: np.ndarray, sample_rate: int, params: SoundFeatures) -> Sound:
    """Return what int16 mono `samples` [t] sound like; the same samples give the same values."""
    loudness = loudness_lufs(samples, sample_rate)
    most = round(MOST_SECONDS * sample_rate)
    start = max(0, len(samples) - most) // 2
    wave = samples[start : start + most].astype(np.float32) / INT16_SCALE
    if loudness is None or not wave.any():
        return Sound(None, "", loudness)
    wave = _at_rate(wave, sample_rate, params.sample_rate)
    return Sound(_tempo(wave, params), _key(wave, params), loudness)


def _at_rate(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return `wave` at the rate `wanted`, and at least as long as the longest spectrum."""
    import librosa

    if rate != wanted:
        wave = librosa.resample(wave, orig_sr=rate, target_sr=wanted)
    return np.pad(wave, (0, max(0, round(CHROMA_SECONDS * wanted) - len(wave))))


def _tempo(wave: np.ndarray, params: SoundFeatures) -> float | None:
    import librosa

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
    """Return librosa's tempogram [lags, stretches] for stretches of `length` frames, of which it has one every frame.

    Here they lie further apart, which takes a quarter of the time and hardly changes their mean.
    """
    import librosa

    padded = np.pad(onsets, length // 2, mode="linear_ramp", end_values=0)
    stretches = librosa.util.frame(padded, frame_length=length, hop_length=STRETCH_HOP)
    repeats = librosa.autocorrelate(stretches * librosa.filters.get_window("hann", length)[:, np.newaxis], axis=0)
    return librosa.util.normalize(repeats, norm=np.inf, axis=0)


def _pulse(onsets: np.ndarray, period: int) -> tuple[float, float]:
    """Return the autocorrelation of `onsets` at `period` frames, of three the highest, and the period in fractions.

    Those are found where the onsets repeat after several beats, of which each counts half a frame more or less.
    """
    import librosa

    beats = min(PRECISE_BEATS, len(onsets) // period // 2)
    found = librosa.autocorrelate(onsets - onsets.mean(), max_size=beats * period + beats // 2 + 2)
    found *= len(onsets) / (len(onsets) - np.arange(len(found))) / found[0]  # so many pairs are that far apart
    first = beats * period - beats // 2
    after = first + int(found[first : first + beats // 2 * 2 + 1].argmax())
    return float(found[period - 1 : period + 2].max()), after / beats


def _key(wave: np.ndarray, params: SoundFeatures) -> str:
    import librosa

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
