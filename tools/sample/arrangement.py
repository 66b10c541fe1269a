"""The accompanist: an excerpt of a score arranged for a mood, as notes for the players of a house band.

A `Style` defines how a mood changes any music: melody notes per second, the length of a beat, the register, the mode,
staccato or legato, dynamics, and the accompanying layers (see `patterns`), which follow the composition's own chords
and bass. The tempo is chosen so that any excerpt, adagio or presto, has the mood's density; the melody is kept, moved
by octaves into the mood's register and by a few semitones for variety.

Conventions: as in `patterns`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from patterns import BASS_DRUM, PATTERNS, SIDE_STICK, SNARE, TAMBOURINE, WOOD_BLOCK, Layer, Note, Plan
from scores import Chord, Excerpt, Score, excerpt, in_mode

TEMPO_SPREAD = 0.1
TRANSPOSITION = 3  # semitones up or down
VELOCITY_SPREAD, TIMING_SPREAD = 5.0, 0.007
WINDOW_BEATS = 16  # the stretch over which an excerpt's density is measured
START_TRIES = 6
LAST_BARS = 4  # no excerpt starts in these
DIMINISHED = (0, 3, 6, 9)
TRILL_MINIMUM, TRILL_NOTE = 0.45, 0.075


class Style(NamedTuple):
    mode: str | None  # None keeps the composer's
    rate: float  # melody notes per second
    beat: tuple[float, float]  # shortest and longest beat
    register: int  # median pitch of the melody
    gate: float  # sounding share of a melody note
    velocity: int
    loudness: float  # RMS, dB below full scale
    layers: tuple[Layer, ...]
    doubling: int | None = None  # interval at which the second player joins the melody
    ornament: bool = False  # long notes become trills
    diminished: float = 0.0  # share of chords turned into diminished sevenths


class Arrangement(NamedTuple):
    notes: list[Note]
    tonic: int
    mode: str
    tempo: float  # beats per minute


STYLES = {
    "comic": Style(
        "major",
        4.6,
        (0.36, 0.6),
        75,
        0.42,
        92,
        -21,
        (
            Layer("oompah", "bass", 41, 92, 0.27),
            Layer("afterbeat", "plucked", 62, 66, 0.27),
            Layer("clicks", "drums", WOOD_BLOCK, 62, 0.54),
        ),
    ),
    "love": Style(
        "major",
        2.1,
        (0.65, 1.1),
        70,
        1.05,
        78,
        -25,
        (
            Layer("broken", "chords", 57, 56, 0.27),
            Layer("roots", "bass", 43, 56, 2.0),
            Layer("held", "pad", 58, 40, 2.4),
        ),
    ),
    "sorrow": Style(
        "minor",
        1.1,
        (0.9, 1.6),
        58,
        1.05,
        66,
        -28,
        (Layer("held", "pad", 50, 52, 2.6), Layer("roots", "bass", 36, 54, 2.6)),
    ),
    "mystery": Style(
        "minor",
        1.7,
        (0.55, 1.0),
        52,
        0.3,
        58,
        -31,
        (Layer("tremolo", "tremolo", 38, 40, 0.12), Layer("creeping", "plucked", 45, 50, 0.55)),
    ),
    "terror": Style(
        "minor",
        3.0,
        (0.4, 0.7),
        58,
        0.8,
        110,
        -18,
        (
            Layer("tremolo", "tremolo", 36, 104, 0.085),
            Layer("stabs", "pad", 60, 118, 1.2),
            Layer("roll", "drums", BASS_DRUM, 96, 0.085),
        ),
        doubling=-12,
        diminished=0.6,
    ),
    "battle": Style(
        None,
        4.0,
        (0.4, 0.55),
        68,
        0.7,
        114,
        -16,
        (
            Layer("fanfare", "chords", 60, 104, 0.46),
            Layer("roots", "bass", 38, 112, 0.46),
            Layer("march", "drums", SNARE, 104, 0.23),
        ),
        doubling=-12,
    ),
    "festive": Style(
        "major",
        5.0,
        (0.38, 0.55),
        81,
        0.8,
        104,
        -17,
        (
            Layer("oompah", "bass", 45, 98, 0.2),
            Layer("afterbeat", "chords", 72, 92, 0.2),
            Layer("held", "pad", 67, 80, 0.9),
            Layer("jingle", "drums", TAMBOURINE, 84, 0.2),
        ),
        doubling=12,
        ornament=True,
    ),
    "pastoral": Style(
        "major",
        2.6,
        (0.55, 0.95),
        81,
        0.95,
        72,
        -26,
        (Layer("drone", "pad", 50, 58, 2.4), Layer("lilt", "chords", 66, 46, 0.75)),
    ),
    "noble": Style(
        "major",
        1.6,
        (0.62, 1.0),
        65,
        1.0,
        100,
        -19,
        (Layer("blocks", "pad", 56, 88, 0.85), Layer("octaves", "bass", 34, 100, 0.85)),
        doubling=-12,
    ),
    "hurry": Style(
        "minor",
        7.0,
        (0.28, 0.46),
        72,
        0.5,
        94,
        -20,
        (
            Layer("repeated", "chords", 60, 80, 0.115),
            Layer("running", "bass", 43, 92, 0.23),
            Layer("clicks", "drums", SIDE_STICK, 58, 0.23),
        ),
    ),
}
MOODS = tuple(STYLES)


def set_for_mood(score: Score, mood: str, seconds: float, rng: Generator) -> Arrangement:
    """Return an excerpt of the score, starting at a bar, in the style of the mood."""
    style = STYLES[mood]
    start, pace = _choose_start(score, style, rng)
    music = excerpt(score, start, seconds / pace)
    music = in_mode(music, style.mode or music.mode)
    transposition = int(rng.integers(-TRANSPOSITION, TRANSPOSITION + 1))
    plan = _plan(music, transposition, pace, seconds, style, rng)
    notes = list(_melody(music, style, transposition, pace, rng))
    for layer in style.layers:
        notes.extend(PATTERNS[layer.pattern](plan, layer))
    played = [_humanised(note, rng) for note in notes if note.start < seconds]
    return Arrangement(played, (music.tonic + transposition) % 12, music.mode, 60 / plan.beat)


def _choose_start(score: Score, style: Style, rng: Generator) -> tuple[float, float]:
    """Return the bar, of a few random ones, that suits the mood best, and the seconds per quarter note there."""
    starts = rng.choice(score.bars[: max(1, len(score.bars) - LAST_BARS), 0], START_TRIES)
    fits = []
    for start in starts:
        beat = float(score.bars[np.searchsorted(score.bars[:, 0], start), 2])
        notes_a_beat = len(excerpt(score, start, WINDOW_BEATS * beat).melody) / WINDOW_BEATS
        length = float(np.clip(notes_a_beat / style.rate, *style.beat))
        fits.append((abs(np.log(notes_a_beat / length / style.rate)), float(start), length / beat))
    _, start, pace = min(fits)
    return start, pace * rng.uniform(1 - TEMPO_SPREAD, 1 + TEMPO_SPREAD)


def _plan(music: Excerpt, transposition: int, pace: float, seconds: float, style: Style, rng: Generator) -> Plan:
    chords = []
    for chord in music.chords:
        pitch_classes = tuple((p + transposition) % 12 for p in chord.pitch_classes)
        bass = (chord.bass + transposition) % 12
        if rng.random() < style.diminished:
            pitch_classes = tuple((bass + step) % 12 for step in DIMINISHED)
        chords.append(Chord(chord.start * pace, chord.end * pace, pitch_classes, bass))
    beats_in_bar = max(1, round(music.bar / music.beat))
    return Plan(tuple(chords), music.beat * pace, beats_in_bar, (music.tonic + transposition) % 12, seconds)


def _melody(music: Excerpt, style: Style, transposition: int, pace: float, rng: Generator) -> Iterator[Note]:
    octaves = 12 * round((style.register - transposition - np.median(music.melody[:, 2])) / 12)
    for onset, length, pitch in music.melody:
        start, length, pitch = onset * pace, length * pace * style.gate, int(pitch) + octaves + transposition
        if style.ornament and length > TRILL_MINIMUM:
            yield from _trill(start, length, pitch, style.velocity, int(rng.integers(1, 3)))
        else:
            yield Note(start, length, pitch, style.velocity, "lead")
        if style.doubling is not None:
            yield Note(start, length, pitch + style.doubling, style.velocity - 8, "double")


def _trill(start: float, length: float, pitch: int, velocity: float, step: int) -> Iterator[Note]:
    for i in range(int(length / TRILL_NOTE)):
        yield Note(start + i * TRILL_NOTE, TRILL_NOTE, pitch + step * (i % 2), velocity - 6 * (i % 2), "lead")


def _humanised(note: Note, rng: Generator) -> Note:
    return note._replace(
        start=max(0.0, note.start + rng.normal(0, TIMING_SPREAD)),
        velocity=float(np.clip(note.velocity + rng.normal(0, VELOCITY_SPREAD), 1, 127)),
    )
