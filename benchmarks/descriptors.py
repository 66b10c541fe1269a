"""Accuracy and cost of the estimates of tempo, key and vocals, against constant guesses.

Clicks and a simple arrangement of chords at known tempos from 50 to 200 beats per minute, cadences in all 24 keys, and
the cues of the embedded corpus, whose tempos and keys `tools/sample/cues.py` reproduces. A tempo is correct within 4 %;
double and half are counted separately. The corpus's tempo is that of the composition's beat, which accompaniments halve
and double; its key is Krumhansl's estimate from the excerpt's notes. The corpus is instrumental.

    python -m benchmarks.descriptors      # after `dvc repro publish`; two minutes, one thread
"""

import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.report import Figure, best_seconds, figure, in_own_process, publish
from pipeline.apps.recommend.index import open_index
from pipeline.features.peaks import peaks_of
from pipeline.features.sound import TONICS, Sound, describe
from pipeline.media.audio import mono, write_mp3
from pipeline.params import load_params

ROOT = Path(__file__).parent.parent
CUES, AUDIO = ROOT / "tools/sample/cues.csv", ROOT / "data/sample/site/audio"
PARAMS = load_params(ROOT / "params.yaml").features.sound
RATE = PARAMS.sample_rate
TEMPOS = range(50, 201, 5)
SECONDS = 13.0  # per piece, as in the corpus
NEAR = 0.04
FLATS = {"E flat": "D#", "A flat": "G#", "B flat": "A#", "C sharp": "C#", "F sharp": "F#"}
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
CADENCE = {"major": ((0, "major"), (5, "major"), (7, "major")), "minor": ((0, "minor"), (5, "minor"), (7, "major"))}
PROGRESSION = ((0, "major"), (9, "minor"), (5, "major"), (7, "major"))  # one bar each
ARPEGGIO = (0, 1, 2, 1)  # notes of a chord
BEATS = 4  # per bar
LENGTHS, REPEATS = (13.0, 30.0), 5  # of timed tracks, in seconds


class Known(NamedTuple):
    """The true tempo and key of a piece."""

    tempo: float | None
    key: str


def main() -> None:
    """Print and write the figures."""
    figures = tempos("clicks", [(Known(tempo, ""), heard(clicks(tempo))) for tempo in TEMPOS])
    figures += tempos("chords, bass and arpeggios", [(Known(tempo, ""), heard(arrangement(tempo))) for tempo in TEMPOS])
    scales = [(tonic, mode) for mode in TRIADS for tonic in range(12)]
    cadences = [(Known(None, f"{TONICS[tonic]} {mode}"), heard(cadence(tonic, mode))) for tonic, mode in scales]
    figures += keys("cadences", cadences)
    cues = [(known, heard(np.concatenate([*mono(path, RATE)]))) for path, known in corpus().items()]
    figures += tempos("the corpus", cues) + keys("the corpus", cues) + voices()
    timed = in_own_process("benchmarks.descriptors", "timed")
    figures.append(figure("importing librosa, and its first track", timed["first"], "CPU s"))
    for seconds in LENGTHS:
        name = f"a track of {seconds:g} s"
        figures.append(
            figure(name, timed[f"{seconds}"] * 1000, "CPU ms", timed[f"decoding {seconds}"] * 1000, "decoding")
        )
    publish("descriptors", figures)


def heard(samples: np.ndarray) -> Sound:
    """Return the estimates for int16 `samples` at `RATE`."""
    return describe(samples, RATE, PARAMS)


def tempos(name: str, pieces: Sequence[tuple[Known, Sound]]) -> list[Figure]:
    """Return the accuracy of tempos, against that of the best constant tempo."""
    known = np.array([piece.tempo for piece, _ in pieces], float)
    found = np.array([sound.tempo or np.nan for _, sound in pieces], float)
    told = ~np.isnan(found)
    right = is_near(found, known)
    other = (is_near(found * 2, known) | is_near(found / 2, known)) & ~right
    best = max(np.arange(40.0, 220.0), key=lambda tempo: is_near(np.array(tempo), known).sum())
    constant = f"always {best:g}"
    both = float(np.mean(is_near(best, known) | is_near(best * 2, known) | is_near(best / 2, known)))
    return [
        figure(f"{name}, {len(pieces)}: share with a tempo", told.mean(), ""),
        figure("… of them within 4 %", right[told].mean(), "", is_near(best, known).mean(), constant),
        figure("… its double or half", other[told].mean(), ""),
        figure("… one of the three", (right | other)[told].mean(), "", both, constant),
    ]


def is_near(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return whether each of `found` is within 4 % of `known`."""
    return np.abs(found / known - 1) <= NEAR


def keys(name: str, pieces: Sequence[tuple[Known, Sound]]) -> list[Figure]:
    """Return the accuracy of keys, against that of the best constant key."""
    known, found = [piece.key for piece, _ in pieces], [sound.key for _, sound in pieces]
    told = np.array([key != "" for key in found])
    right = np.equal(known, found)
    relative = np.array([is_related(*pair) for pair in zip(known, found, strict=True)])
    best, count = Counter(known).most_common(1)[0]
    return [
        figure(f"{name}, {len(pieces)}: share with a key", told.mean(), ""),
        figure("… of them correct", right[told].mean(), "", count / len(known), f"always {best}"),
        figure("… a fifth away, the relative or the parallel key", relative[told].mean(), ""),
    ]


def is_related(known: str, found: str) -> bool:
    """Return whether `found` is a key often confused with `known`."""
    if not found or found == known:
        return False
    (tonic, mode), (other, other_mode) = (key.split(" ") for key in (known, found))
    steps = (TONICS.index(other) - TONICS.index(tonic)) % 12
    return steps in (5, 7) if mode == other_mode else steps in (0, 9 if mode == "major" else 3)


def voices() -> list[Figure]:
    """Return the share of tracks of the published index with a probability of vocals below 0.5."""
    index = open_index(ROOT / "models/published/tracks.parquet", "run `dvc repro publish`")
    vocals = np.array(index.tracks["vocals"].to_pylist(), float)
    return [figure(f"the corpus, {len(index)}: instrumental by vocals < 0.5", float((vocals < 0.5).mean()), "")]


def corpus() -> dict[Path, Known]:
    """Return the true tempo and key of the cues of the embedded corpus, by file."""
    known = {}
    with CUES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            tonic, _, mode = row["key"].rpartition(" ")
            known[AUDIO / row["audio"]] = Known(float(row["tempo"]), f"{FLATS.get(tonic, tonic)} {mode}")
    return known


def clicks(tempo: float) -> np.ndarray:
    """Return clicks on the beats."""
    times = np.arange(round(0.03 * RATE)) / RATE
    click = np.exp(-times / 0.005) * np.sin(2 * np.pi * 1000 * times)
    return mixed([(beat, click) for beat in np.arange(0.0, SECONDS, 60 / tempo)], SECONDS)


def arrangement(tempo: float) -> np.ndarray:
    """Return four chords of one bar each: struck on the first beat, a bass on each beat, an arpeggio in half beats."""
    beat, notes = 60 / tempo, []
    for number in range(int(SECONDS / beat) + 1):
        root, mode = PROGRESSION[number // BEATS % len(PROGRESSION)]
        chord = [60 + root + step for step in TRIADS[mode]]
        notes.append((number * beat, note(36 + root, beat)))
        for half in (0, 1):
            pitch = 12 + chord[ARPEGGIO[(2 * number + half) % len(ARPEGGIO)]]
            notes.append(((number + half / 2) * beat, note(pitch, beat / 2)))
        if number % BEATS == 0:
            notes += [(number * beat, note(pitch, BEATS * beat)) for pitch in chord]
    return mixed(notes, SECONDS)


def cadence(tonic: int, mode: str) -> np.ndarray:
    """Return tonic, subdominant, dominant and tonic."""
    chords = [*CADENCE[mode], CADENCE[mode][0]]
    notes = [
        (0.75 * number, note(60 + (tonic + root + step) % 12, 0.75))
        for number, (root, of_chord) in enumerate(chords * 3)
        for step in TRIADS[of_chord]
    ]
    return mixed(notes, 9.0)


def note(pitch: int, seconds: float) -> np.ndarray:
    """Return a struck note of a MIDI pitch."""
    times, frequency = np.arange(round(seconds * RATE)) / RATE, 440 * 2 ** ((pitch - 69) / 12)
    partials = range(1, 1 + int(min(8, RATE * 0.45 // frequency)))
    return np.exp(-times / 0.4) * sum(np.sin(2 * np.pi * frequency * number * times) / number for number in partials)


def mixed(sounds: Sequence[tuple[float, np.ndarray]], seconds: float) -> np.ndarray:
    """Return sounds by their starts in seconds as int16 with their peak at half of full scale."""
    wave = np.zeros(round(seconds * RATE))
    for start, sound in sounds:
        part = wave[round(start * RATE) :][: len(sound)]
        part += sound[: len(part)]
    return np.round(wave / np.abs(wave).max() * 16384).astype(np.int16)


def timed() -> dict[str, float]:
    """Return the CPU seconds of the first track with librosa's import, of later tracks, and of decoding them."""
    piece = arrangement(97)
    start = time.process_time()
    heard(piece)
    found = {"first": time.process_time() - start}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mp3"
        for seconds in LENGTHS:
            samples = np.tile(piece, 3)[: round(seconds * RATE)]
            write_mp3(path, samples, RATE, 64000)
            found[f"{seconds}"] = best_seconds(partial(described, samples), REPEATS)
            found[f"decoding {seconds}"] = best_seconds(lambda: list(mono(path, RATE)), REPEATS)
    return found


def described(samples: np.ndarray) -> tuple[Sound, bytes]:
    """Return all values computed for a track."""
    return heard(samples), peaks_of(samples)


if __name__ == "__main__":
    if sys.argv[1:] == ["timed"]:
        print(json.dumps(timed()))
    else:
        main()
