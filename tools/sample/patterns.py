"""Accompaniment patterns, each a function from a plan and a layer to notes.

They are those of cinema pianists (Rapée, Motion Picture Moods, 1924): oom-pah, broken chords, held chords, tremolo in
low octaves, drone, fanfare rhythm, running bass, drum beats. A pattern follows the chords and the bass of the
composition. Its notes are one beat apart, halved or doubled to be near the layer's pulse.

Conventions: times are seconds, pitches MIDI numbers, velocities 1 to 127. Roles: lead, double, chords (struck),
plucked, pad (held), tremolo, bass, drums; a drum note's pitch is its General MIDI percussion key.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scores import Chord

BASS_DRUM, SIDE_STICK, SNARE, CLOSED_HAT, TAMBOURINE, WOOD_BLOCK = 35, 37, 38, 42, 54, 76


class Note(NamedTuple):
    start: float
    length: float
    pitch: int
    velocity: float
    role: str


class Layer(NamedTuple):
    pattern: str
    role: str
    centre: int  # central pitch of the layer
    velocity: int
    pulse: float  # the wanted time between its notes


class Plan(NamedTuple):
    chords: tuple[Chord, ...]  # in seconds
    beat: float
    beats_in_bar: int
    tonic: int
    seconds: float


def _ticks(plan: Plan, wanted: float) -> Iterator[tuple[int, float, float, Chord]]:
    """Number, time, length and chord of the pulses; their length is the beat, halved or doubled to be near `wanted`."""
    pulse = plan.beat * 2.0 ** round(np.log2(wanted / plan.beat))
    starts = np.array([chord.start for chord in plan.chords])
    for i in range(int(np.ceil(plan.seconds / pulse))):
        yield i, i * pulse, pulse, plan.chords[int(np.searchsorted(starts, i * pulse + 1e-6)) - 1]


def _near(pitch_class: int, centre: int) -> int:
    return centre + (pitch_class - centre + 6) % 12 - 6


def _voiced(chord: Chord, centre: int) -> list[int]:
    return sorted(_near(p, centre) for p in chord.pitch_classes)


def _cycle(plan: Plan) -> int:
    return 3 if plan.beats_in_bar == 3 else 2


def _oompah(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        if i % _cycle(plan) == 0:
            alternate = chord.pitch_classes[2] if i // _cycle(plan) % 2 else chord.bass
            yield Note(start, pulse * 0.7, _near(alternate, layer.centre), layer.velocity, layer.role)


def _afterbeat(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        if i % _cycle(plan):
            yield from _struck(chord, start, pulse * 0.5, layer)


def _struck(chord: Chord, start: float, length: float, layer: Layer, louder: int = 0) -> Iterator[Note]:
    for pitch in _voiced(chord, layer.centre):
        yield Note(start, length, pitch, layer.velocity + louder, layer.role)


def _broken(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        tones = _voiced(chord, layer.centre)
        rising = [tones[0] - 12, tones[0], tones[1], tones[2], tones[0] + 12, tones[2], tones[1], tones[0]]
        yield Note(start, pulse * 2.5, rising[i % 8], layer.velocity, layer.role)


def _held(plan: Plan, layer: Layer) -> Iterator[Note]:
    for _, start, length, chord in _changes(plan, layer.pulse):
        yield from _struck(chord, start, length * 1.02, layer)


def _roots(plan: Plan, layer: Layer) -> Iterator[Note]:
    for _, start, length, chord in _changes(plan, layer.pulse):
        yield Note(start, length * 0.95, _near(chord.bass, layer.centre), layer.velocity, layer.role)


def _changes(plan: Plan, longest: float) -> Iterator[tuple[int, float, float, Chord]]:
    """Every chord, struck again when it lasts longer than `longest`."""
    for i, chord in enumerate(plan.chords):
        strokes = max(1, round((chord.end - chord.start) / longest))
        for start in np.linspace(chord.start, chord.end, strokes, endpoint=False):
            yield i, float(start), (chord.end - chord.start) / strokes, chord


def _blocks(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        yield from _struck(chord, start, pulse * 0.98, layer, 10 if i % plan.beats_in_bar == 0 else 0)


def _octaves(plan: Plan, layer: Layer) -> Iterator[Note]:
    for _, start, pulse, chord in _ticks(plan, layer.pulse):
        low = _near(chord.bass, layer.centre)
        for pitch in (low, low + 12):
            yield Note(start, pulse * 0.98, pitch, layer.velocity, layer.role)


def _tremolo(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        swell = 1 + 0.2 * np.sin(2 * np.pi * start / (8 * plan.beat))
        pitch = _near(chord.bass, layer.centre) + 12 * (i % 2)
        yield Note(start, pulse * 1.1, pitch, layer.velocity * swell, layer.role)


def _creeping(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, _, chord in _ticks(plan, layer.pulse):
        step = (0, 1, 0, -1)[i % 4]
        yield Note(start, 0.16, _near(chord.bass, layer.centre) + step, layer.velocity, layer.role)


def _stabs(plan: Plan, layer: Layer) -> Iterator[Note]:
    for _, start, length, chord in _changes(plan, layer.pulse):
        yield from _struck(chord, start, min(length, 0.5) * 0.8, layer)


def _fanfare(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        for offset, length in ((0, 0.45), (0.5, 0.22), (0.75, 0.22)) if i % 2 == 0 else ((0, 0.45), (0.5, 0.45)):
            yield from _struck(chord, start + offset * pulse, length * pulse, layer)


def _drone(plan: Plan, layer: Layer) -> Iterator[Note]:
    low = _near(plan.tonic, layer.centre)
    for _, start, pulse, _ in _ticks(plan, layer.pulse):
        for pitch in (low, low + 7):
            yield Note(start, pulse * 1.02, pitch, layer.velocity, layer.role)


def _lilt(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        tones = _voiced(chord, layer.centre)
        for offset, tone in ((0, tones[0]), (2 / 3, tones[1 + i % 2])):
            yield Note(start + offset * pulse, pulse * 0.6, tone, layer.velocity, layer.role)


def _repeated(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        yield from _struck(chord, start, pulse * 0.7, layer, 14 if i % 4 == 0 else 0)


def _running(plan: Plan, layer: Layer) -> Iterator[Note]:
    for i, start, pulse, chord in _ticks(plan, layer.pulse):
        tone = (chord.bass, *chord.pitch_classes[1:3], chord.bass)[i % 4]
        yield Note(start, pulse * 0.7, _near(tone, layer.centre), layer.velocity, layer.role)


def _beaten(*strokes: tuple[float, int, float]) -> Callable[[Plan, Layer], Iterator[Note]]:
    """A drum pattern: strokes (place in pulses within a cycle of four, key or 0 for the layer's own, strength)."""

    def pattern(plan: Plan, layer: Layer) -> Iterator[Note]:
        for i, start, pulse, _ in _ticks(plan, layer.pulse):
            for place, key, strength in strokes:
                if i % 4 == int(place):
                    time = start + (place % 1) * pulse
                    yield Note(time, 0.1, key or layer.centre, layer.velocity * strength, layer.role)

    return pattern


PATTERNS: dict[str, Callable[[Plan, Layer], Iterator[Note]]] = {
    "oompah": _oompah,
    "afterbeat": _afterbeat,
    "broken": _broken,
    "held": _held,
    "roots": _roots,
    "blocks": _blocks,
    "octaves": _octaves,
    "tremolo": _tremolo,
    "creeping": _creeping,
    "stabs": _stabs,
    "fanfare": _fanfare,
    "drone": _drone,
    "lilt": _lilt,
    "repeated": _repeated,
    "running": _running,
    "clicks": _beaten((0, 0, 1), (1, 0, 0.7), (2, 0, 0.9), (3, 0, 0.7), (3.5, 0, 0.6)),
    "roll": _beaten((0, 0, 1), (1, 0, 0.8), (2, 0, 0.9), (3, 0, 0.8)),
    "march": _beaten((0, BASS_DRUM, 1.1), (0, 0, 1), (1, 0, 0.7), (1.5, 0, 0.7), (2, 0, 1), (3, 0, 0.8), (3.5, 0, 0.7)),
    "jingle": _beaten((0, BASS_DRUM, 0.9), (0, 0, 1), (1, 0, 0.7), (2, 0, 0.9), (3, CLOSED_HAT, 0.8), (3, 0, 0.7)),
}
