"""Analysis of a music21 score: melody, inner voices, chords and key.

A score is parsed once and cached as plain arrays, in memory and in the user's cache folder. An excerpt is reduced to
one melodic line (the top part, with rests filled from the parts below) and one chord per beat with its bass, found by
matching the sounding pitch classes with triads and dominant sevenths. A tune without accompaniment is harmonised by the
same matching, which prefers the chords of the key.

Conventions: a note array is float [n, 3]: onset and duration in quarter notes, MIDI pitch. A pitch class is 0 to 11
from C. A chord holds from its start to the next chord's start.
"""

import functools
import os
import pathlib
from typing import NamedTuple

import numpy as np

CACHE_FOLDER = "silent-film-music"
# Krumhansl and Kessler (1982), probe-tone ratings of the twelve degrees in a major and in a minor key.
KEY_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}
CHORD_SHAPES = {(0, 4, 7): 0.0, (0, 3, 7): 0.0, (0, 4, 7, 10): -0.08, (0, 3, 6): -0.1}  # with a bias for each
FOREIGN_WEIGHT, ROOT_IN_BASS, IN_KEY, SAME_CHORD = 0.6, 0.15, 0.25, 0.12  # weights of the chord matching
OUTER_GAP = 1.5  # beats without melody after which another part takes over
TO_MINOR, TO_MAJOR = {4: 3, 9: 8}, {3: 4, 8: 9, 10: 11}  # degrees moved; the leading note stays (harmonic minor)


class Score(NamedTuple):
    parts: tuple[np.ndarray, ...]
    bars: np.ndarray  # [b, 3]: onset, length and beat of every bar, in quarter notes


class Chord(NamedTuple):
    start: float
    end: float
    pitch_classes: tuple[int, ...]  # the root first
    bass: int


class Excerpt(NamedTuple):
    melody: np.ndarray
    chords: tuple[Chord, ...]
    tonic: int
    mode: str
    beat: float
    bar: float


def cache_folder() -> pathlib.Path:
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(root) / CACHE_FOLDER


@functools.cache
def read(source: str, first_bar: int = 0, last_bar: int | None = None) -> Score:
    """A corpus score, or the bars of one movement (counted from 0, the last one excluded)."""
    score = _read_whole(source)
    bars = score.bars[first_bar:last_bar]
    start, end = bars[0, 0], bars[-1, 0] + bars[-1, 1]
    parts = [part[(part[:, 0] >= start) & (part[:, 0] < end)] for part in score.parts]
    return Score(tuple(_moved(part, -start) for part in parts if len(part)), _moved(bars, -start))


@functools.cache
def _read_whole(source: str) -> Score:
    path = cache_folder() / f"{source.replace('/', '-')}.npz"
    if not path.exists():
        parts, bars = _parse(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        part_file = path.with_name(f"{path.stem}-{os.getpid()}.npz")  # other processes may read this score
        np.savez_compressed(part_file, bars=bars, **{f"part{i:02d}": part for i, part in enumerate(parts)})
        part_file.replace(path)
    with np.load(path) as stored:
        parts = tuple(stored[name] for name in sorted(stored.files) if name.startswith("part"))
        return Score(parts, stored["bars"])


def _parse(source: str) -> tuple[list[np.ndarray], np.ndarray]:
    from music21 import corpus  # imports slowly, and cached scores do not need it

    score = corpus.parse(source)
    score.toSoundingPitch(inPlace=True)
    parts = [list(part.getElementsByClass("Measure")) for part in score.parts if len(part.flatten().notes)]
    bars, now, beat = [], 0.0, 1.0
    for column in zip(*parts, strict=False):
        if column[0].timeSignature:
            beat = float(column[0].timeSignature.beatDuration.quarterLength)
        length = float(np.median([measure.duration.quarterLength for measure in column]))
        bars.append((now, length, beat))
        now += length
    table = np.array(bars)
    return [_notes(measures, table) for measures in parts], table[table[:, 1] > 0]


def _notes(measures: list, bars: np.ndarray) -> np.ndarray:
    """Every note of a part, ties joined and grace notes left out, each bar placed by the table: where one part writes
    a shorter bar at a repeat or an upbeat, its own offsets would drift away from the others'."""
    rows: list[list[float]] = []
    open_ties: dict[int, list[float]] = {}
    for measure, (bar, bar_length, _) in zip(measures, bars, strict=False):
        for element in measure.flatten().notes:
            if element.duration.isGrace or element.offset >= bar_length or type(element).__name__ == "ChordSymbol":
                continue
            for note in getattr(element, "notes", (element,)):
                _add(note, note.tie or element.tie, bar + float(element.offset), rows, open_ties)
    return np.array(sorted(rows)).reshape(-1, 3)


def _add(note, tie, onset: float, rows: list[list[float]], open_ties: dict[int, list[float]]) -> None:
    length, pitch = float(note.duration.quarterLength), note.pitch.midi
    if tie and tie.type in ("stop", "continue") and pitch in open_ties:
        open_ties[pitch][1] = onset + length - open_ties[pitch][0]
        return
    rows.append([onset, length, pitch])
    if tie and tie.type == "start":
        open_ties[pitch] = rows[-1]


def excerpt(score: Score, start: float, length: float) -> Excerpt:
    """The music of `length` quarter notes from `start`; a shorter score is repeated."""
    total = score.bars[-1, 0] + score.bars[-1, 1]
    repeats = 1 + int((start + length) // total)
    parts = [np.concatenate([_moved(part, i * total - start) for i in range(repeats)]) for part in score.parts]
    parts = [part[(part[:, 0] > -1e-6) & (part[:, 0] < length)] for part in parts]
    parts = [part for part in parts if len(part)]
    row = score.bars[np.searchsorted(score.bars[:, 0], start + 1e-6) - 1]
    everything = np.concatenate(parts)
    tonic, mode = find_key(everything)
    melody = melodic_line(parts, float(row[2]))
    chords = harmony(everything, tonic, mode, float(row[2]), length)
    return Excerpt(melody, chords, tonic, mode, float(row[2]), float(row[1]))


def melodic_line(parts: list[np.ndarray], beat: float) -> np.ndarray:
    """One voice: the highest notes of the top part, and of the parts below where those above rest."""
    line = _skyline(parts[0])
    for part in parts[1:]:
        ends = np.concatenate([[0.0], line[:, 0] + line[:, 1]])
        next_onsets = np.concatenate([line[:, 0], [np.inf]])
        gap = np.searchsorted(line[:, 0], part[:, 0] + 1e-6)
        free = (next_onsets[gap] - ends[gap] >= OUTER_GAP * beat) & (part[:, 0] >= ends[gap] - 1e-6)
        line = _skyline(np.concatenate([line, part[free]]))
    return line


def _skyline(notes: np.ndarray) -> np.ndarray:
    order = np.lexsort((-notes[:, 2], notes[:, 0]))
    notes = notes[order]
    notes = notes[np.concatenate([[True], np.diff(notes[:, 0]) > 1e-6])]
    gaps = np.append(np.diff(notes[:, 0]), np.inf)
    return np.column_stack([notes[:, 0], np.minimum(notes[:, 1], gaps), notes[:, 2]])


def find_key(notes: np.ndarray) -> tuple[int, str]:
    """The tonic and mode whose key profile correlates best with the time that each pitch class sounds."""
    weights = np.bincount(notes[:, 2].astype(int) % 12, notes[:, 1], 12)
    fits = {
        (tonic, mode): np.corrcoef(np.roll(profile, tonic), weights)[0, 1]
        for mode, profile in KEY_PROFILES.items()
        for tonic in range(12)
    }
    return max(fits, key=fits.get)


def harmony(notes: np.ndarray, tonic: int, mode: str, beat: float, length: float) -> tuple[Chord, ...]:
    """One chord per beat, equal neighbours joined; a silent beat keeps the previous chord."""
    chords: list[Chord] = []
    for start in np.arange(0, length, beat):
        end = min(start + beat, length)
        overlap = np.minimum(notes[:, 0] + notes[:, 1], end) - np.maximum(notes[:, 0], start)
        sounding = notes[overlap > 1e-6]
        if not len(sounding):
            if chords:
                chords[-1] = chords[-1]._replace(end=end)
            continue
        weights = np.bincount(sounding[:, 2].astype(int) % 12, overlap[overlap > 1e-6], 12)
        lowest = int(sounding[:, 2].min()) % 12
        pitch_classes = _best_chord(weights / weights.sum(), lowest, tonic, mode, chords[-1:])
        bass = lowest if lowest in pitch_classes else pitch_classes[0]
        if chords and chords[-1].pitch_classes == pitch_classes and chords[-1].bass == bass:
            chords[-1] = chords[-1]._replace(end=end)
        else:
            chords.append(Chord(start, end, pitch_classes, bass))
    return (chords[0]._replace(start=0.0), *chords[1:])


def _best_chord(weights: np.ndarray, lowest: int, tonic: int, mode: str, before: list[Chord]) -> tuple[int, ...]:
    key = {(tonic + degree) % 12 for degree in SCALES[mode]}
    scores = {}
    for root in range(12):
        for shape, readiness in CHORD_SHAPES.items():
            chord = tuple((root + step) % 12 for step in shape)
            inside = weights[list(chord)].sum()
            score = inside - FOREIGN_WEIGHT * (1 - inside) + readiness + ROOT_IN_BASS * (root == lowest)
            score += IN_KEY * sum(p in key for p in chord) / len(chord)
            scores[chord] = score + SAME_CHORD * bool(before and before[0].pitch_classes == chord)
    return max(scores, key=scores.get)


def in_mode(piece: Excerpt, mode: str) -> Excerpt:
    """The excerpt with its third and sixth (and seventh) degrees moved from major to minor, or back."""
    if mode == piece.mode:
        return piece
    degrees = TO_MINOR if mode == "minor" else TO_MAJOR
    steps = np.array(
        [degrees.get((p - piece.tonic) % 12, (p - piece.tonic) % 12) - (p - piece.tonic) % 12 for p in range(12)]
    )
    chords = tuple(
        chord._replace(
            pitch_classes=tuple((p + int(steps[p])) % 12 for p in chord.pitch_classes),
            bass=(chord.bass + int(steps[chord.bass])) % 12,
        )
        for chord in piece.chords
    )
    pitches = piece.melody[:, 2]
    melody = np.column_stack([piece.melody[:, :2], pitches + steps[pitches.astype(int) % 12]])
    return piece._replace(melody=melody, chords=chords, mode=mode)


def _moved(rows: np.ndarray, by: float) -> np.ndarray:
    return np.column_stack([rows[:, 0] + by, rows[:, 1:]])
