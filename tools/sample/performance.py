"""Rendering of a house band: notes as MIDI, then FluidSynth.

FluidSynth renders the MIDI file at twice the sampling rate of a cue with fixed settings, followed by a low-pass filter
and decimation, as a SoundFont player does not prevent aliasing.

System packages (Debian): fluidsynth and fluid-soundfont-gm (MIT licence); SOUNDFONT names another SoundFont file.
"""

import os
import pathlib
import subprocess
import tempfile

import mido
import numpy as np
from ensembles import ENSEMBLES, Ensemble, Instrument
from patterns import Note

SAMPLE_RATE = 24_000
OVERSAMPLING = 2
FILTER_TAPS = 127
FILTER_CUTOFF = 11_000.0
DEFAULT_SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"  # path of fluid-soundfont-gm
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


def perform(notes: list[Note], ensemble: str, seconds: float) -> np.ndarray:
    """The sound of the notes played by an ensemble, float32 [t], without level adjustment and fades."""
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
        end = min(last, start + round(max(SHORTEST_NOTE, note.length) * TICKS))  # otherwise the note never ends
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
    """The MIDI channel and instrument of every role with a player."""
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
