"""The house bands: which instruments a cinema had, and how they are heard (MIDI, then FluidSynth).

Idea: an ensemble gives every role of an arrangement to one of its instruments; the melody goes to the instrument whose
range suits its register. Notes outside a range are folded into it by octaves. FluidSynth renders the MIDI file at twice
the sampling rate of a cue with fixed settings; a low-pass filter and decimation follow, since a SoundFont player does
not guard against aliasing.

Conventions: programs are General MIDI numbers from 0; a level multiplies velocities. System packages (Debian):
fluidsynth and fluid-soundfont-gm (MIT licence); SOUNDFONT names another SoundFont file.
"""

import os
import pathlib
import subprocess
import tempfile
from typing import NamedTuple

import mido
import numpy as np
from patterns import Note

SAMPLE_RATE = 24_000
OVERSAMPLING = 2
FILTER_TAPS = 127
FILTER_CUTOFF = 11_000.0
DEFAULT_SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"  # where fluid-soundfont-gm puts it
SYNTH_SETTINGS = {
    "synth.cpu-cores": 1,
    "synth.dynamic-sample-loading": 1,
    "synth.gain": 0.35,
    "synth.polyphony": 256,
    "synth.chorus.active": 0,
    "synth.reverb.active": 1,
    "synth.reverb.room-size": 0.45,
    "synth.reverb.damp": 0.4,
    "synth.reverb.width": 0.5,
    "synth.reverb.level": 0.35,
}
TICKS = 960  # a MIDI beat, of one second
PERCUSSION_CHANNEL = 9
SHORTEST_NOTE = 0.04
RENDER_TIMEOUT = 120
TAIL = 0.5  # rendered beyond the cue, for the reverberation


class Instrument(NamedTuple):
    program: int
    low: int
    high: int
    level: float = 1.0


class Ensemble(NamedTuple):
    lead: tuple[Instrument, ...]
    double: tuple[Instrument, ...]
    chords: Instrument
    plucked: Instrument
    pad: Instrument
    tremolo: Instrument
    bass: Instrument
    kit: int | None = None  # program of the percussion channel; None: no drummer


PIANO, HONKY_TONK = Instrument(0, 21, 105), Instrument(3, 28, 96)
CHURCH_ORGAN, DRAWBAR_ORGAN = Instrument(19, 28, 96), Instrument(16, 36, 96, 0.9)
VIOLIN, CELLO, CONTRABASS = Instrument(40, 55, 98), Instrument(42, 36, 70), Instrument(43, 28, 55)
VIOLINS, CELLOS, STRING_SECTION = Instrument(48, 55, 96), Instrument(48, 36, 67), Instrument(48, 40, 84)
PIZZICATO, SLOW_STRINGS, TREMOLO_STRINGS = Instrument(45, 36, 90), Instrument(49, 36, 90), Instrument(44, 33, 84)
TRUMPET, HORN, TROMBONE = Instrument(56, 55, 86), Instrument(60, 40, 74), Instrument(57, 38, 68)
TUBA, BRASS_SECTION, TIMPANI = Instrument(58, 26, 55), Instrument(61, 43, 84, 0.9), Instrument(47, 34, 57)
FLUTE, OBOE, CLARINET = Instrument(73, 65, 98), Instrument(68, 58, 88), Instrument(71, 50, 88)
BASSOON, HARP, BANJO = Instrument(70, 34, 67), Instrument(46, 31, 96, 1.1), Instrument(105, 48, 84)
ACCORDION, FIDDLE, GUITAR = Instrument(21, 41, 94), Instrument(110, 55, 98), Instrument(25, 38, 84, 1.1)

ENSEMBLES = {
    "piano": Ensemble((PIANO,), (PIANO,), PIANO, PIANO, PIANO, PIANO, PIANO),
    "ragtime_band": Ensemble((CLARINET,), (HONKY_TONK,), BANJO, BANJO, HONKY_TONK, HONKY_TONK, TUBA, kit=0),
    "salon": Ensemble((VIOLIN, CELLO), (VIOLIN, CELLO), PIANO, PIANO, PIANO, PIANO, CELLO),
    "strings": Ensemble(
        (VIOLINS, CELLOS), (VIOLINS, CELLOS), STRING_SECTION, PIZZICATO, SLOW_STRINGS, TREMOLO_STRINGS, CONTRABASS
    ),
    "organ": Ensemble(
        (DRAWBAR_ORGAN,), (CHURCH_ORGAN,), CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN
    ),
    "brass": Ensemble(
        (TRUMPET, HORN, TROMBONE), (TRUMPET, TROMBONE), BRASS_SECTION, BRASS_SECTION, HORN, TIMPANI, TUBA, kit=48
    ),
    "winds": Ensemble((FLUTE, OBOE, CLARINET, BASSOON), (OBOE, BASSOON), HARP, HARP, CLARINET, BASSOON, BASSOON),
    "folk": Ensemble((FIDDLE, ACCORDION), (ACCORDION,), GUITAR, GUITAR, ACCORDION, ACCORDION, GUITAR),
}


def perform(notes: list[Note], ensemble: str, seconds: float) -> np.ndarray:
    """The sound of the notes played by an ensemble, float32 [t], neither levelled nor faded."""
    with tempfile.TemporaryDirectory() as folder:
        midi, sound = pathlib.Path(folder, "cue.mid"), pathlib.Path(folder, "cue.raw")
        _midi(notes, ENSEMBLES[ensemble], seconds).save(midi)
        settings = [part for name, value in SYNTH_SETTINGS.items() for part in ("-o", f"{name}={value}")]
        subprocess.run(
            [
                "fluidsynth",
                "-q",
                "-n",
                "-i",
                *settings,
                "-r",
                str(OVERSAMPLING * SAMPLE_RATE),
                "-T",
                "raw",
                "-O",
                "float",
                "-E",
                "little",
                "-F",
                str(sound),
                os.environ.get("SOUNDFONT", DEFAULT_SOUNDFONT),
                str(midi),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=RENDER_TIMEOUT,
        )
        stereo = np.fromfile(sound, "<f4").reshape(-1, 2)
    return _decimated(stereo.mean(1))[: round(seconds * SAMPLE_RATE)]


def _decimated(samples: np.ndarray) -> np.ndarray:
    times = np.arange(FILTER_TAPS) - FILTER_TAPS // 2
    cutoff = 2 * FILTER_CUTOFF / (OVERSAMPLING * SAMPLE_RATE)
    kernel = cutoff * np.sinc(cutoff * times) * np.hamming(FILTER_TAPS)
    return np.convolve(samples, kernel, "same")[::OVERSAMPLING].astype(np.float32)


def _midi(notes: list[Note], ensemble: Ensemble, seconds: float) -> mido.MidiFile:
    players = _players(notes, ensemble)
    events: list[tuple[int, int, mido.Message]] = [
        (0, 0, mido.Message("program_change", channel=channel, program=player.program))
        for channel, player in players.values()
    ]
    last = round((seconds + TAIL) * TICKS)
    for note in notes:
        if note.role not in players:
            continue
        channel, player = players[note.role]
        common = {"channel": channel, "note": _folded(note.pitch, player)}
        start = round(note.start * TICKS)
        end = min(last, start + round(max(SHORTEST_NOTE, note.length) * TICKS))  # a lasting note would never end
        velocity = int(np.clip(note.velocity * player.level, 1, 127))
        events.append((start, 2, mido.Message("note_on", velocity=velocity, **common)))
        events.append((end, 1, mido.Message("note_off", **common)))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    now = 0
    for time, _, message in sorted(events, key=lambda e: (e[0], e[1], e[2].bytes())):
        track.append(message.copy(time=time - now))
        now = time
    track.append(mido.MetaMessage("end_of_track", time=last - now))
    return mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[track])


def _players(notes: list[Note], ensemble: Ensemble) -> dict[str, tuple[int, Instrument]]:
    """The MIDI channel and instrument of every role that has a player."""
    chosen = {role: getattr(ensemble, role) for role in ("chords", "plucked", "pad", "tremolo", "bass")}
    for role, candidates in (("lead", ensemble.lead), ("double", ensemble.double)):
        pitches = [note.pitch for note in notes if note.role == role] or [60]
        chosen[role] = max(candidates, key=lambda player: np.mean([player.low <= p <= player.high for p in pitches]))
    players = {role: (channel, player) for channel, (role, player) in enumerate(chosen.items())}
    if ensemble.kit is not None:
        players["drums"] = PERCUSSION_CHANNEL, Instrument(ensemble.kit, 0, 127)
    return players


def _folded(pitch: int, player: Instrument) -> int:
    while pitch < player.low:
        pitch += 12
    while pitch > player.high:
        pitch -= 12
    return pitch
