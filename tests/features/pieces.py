"""Short pieces of known tempo and key, int16 mono at `RATE`."""

from collections.abc import Sequence

import numpy as np

RATE = 16000  # Hz
CADENCE = {
    "major": ((0, 4, 7), (5, 9, 0), (7, 11, 2), (0, 4, 7)),
    "minor": ((0, 3, 7), (5, 8, 0), (7, 11, 2), (0, 3, 7)),
}
CHORD_SECONDS = 0.75


def clicks(tempo: float, seconds: float = 13.0, rate: int = RATE) -> np.ndarray:
    """Return short clicks at `tempo` beats per minute, from the very start."""
    wave = np.zeros(round(seconds * rate))
    times = np.arange(round(0.03 * rate)) / rate
    click = np.exp(-times / 0.005) * np.sin(2 * np.pi * 1000 * times)
    for beat in np.arange(0.0, seconds, 60 / tempo):
        start = round(beat * rate)
        wave[start : start + len(click)] += click[: len(wave) - start]
    return scaled(wave)


def chords(pitches: Sequence[Sequence[int]], each: float, rate: int = RATE) -> np.ndarray:
    """Return chords of decaying notes with MIDI `pitches`, `each` seconds long."""
    times = np.arange(round(each * rate)) / rate
    notes = [sum(_note(440 * 2 ** ((pitch - 69) / 12), times) for pitch in chord) for chord in pitches]
    return scaled(np.concatenate(notes))


def cadence(tonic: int, mode: str, rate: int = RATE) -> np.ndarray:
    """Return tonic, subdominant, dominant and tonic in a key, three times; `tonic` is its pitch class, 0 for C."""
    return chords([[60 + (tonic + step) % 12 for step in chord] for chord in CADENCE[mode]] * 3, CHORD_SECONDS, rate)


def scaled(wave: np.ndarray) -> np.ndarray:
    """Return a wave as int16 with its peak at half of full scale."""
    return np.round(wave / np.abs(wave).max() * 16384).astype(np.int16)


def _note(frequency: float, times: np.ndarray) -> np.ndarray:
    partials = range(1, 1 + int(min(6, 7000 // frequency)))
    return np.exp(-times / 0.4) * sum(np.sin(2 * np.pi * frequency * number * times) / number for number in partials)
