"""Tempo and key of pieces for which they are known, and none for music without them."""

import fcntl
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.features import sound
from pipeline.features.sound import KEYS, TONICS, Sound, describe
from tests.features.pieces import RATE, cadence, chords, clicks, scaled
from tests.features.small import SOUND


def heard(samples: np.ndarray, rate: int = RATE) -> Sound:
    return describe(samples, rate, SOUND)


@pytest.mark.parametrize("tempo", [64, 90, 120, 137.5, 180])
def test_the_tempo_of_clicks_its_double_or_half(tempo):
    found = heard(clicks(tempo)).tempo
    assert min(abs(found * factor / tempo - 1) for factor in (0.5, 1.0, 2.0)) < 0.01
    if 90 <= tempo <= 140:
        assert found == pytest.approx(tempo, rel=0.01)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_the_key_of_cadences(mode):
    assert [heard(cadence(tonic, mode)).key for tonic in range(12)] == [f"{tonic} {mode}" for tonic in TONICS]


def test_the_decoding_rate_does_not_matter():
    for rate in (8000, 22050, 44100):
        assert heard(clicks(100, rate=rate), rate).tempo == pytest.approx(100, rel=0.01)
        assert heard(cadence(9, "minor", rate), rate).key == "A minor"


def test_the_same_samples_give_the_same_values_and_loudness_is_that_of_the_whole():
    piece = cadence(2, "major")
    assert heard(piece) == heard(piece.copy())
    assert heard(piece // 2).loudness == pytest.approx(heard(piece).loudness - 6.02, abs=0.1)
    assert heard(piece // 2)._replace(loudness=None) == heard(piece)._replace(loudness=None)


def test_music_without_beats_or_keys_has_none():
    rng, times = np.random.default_rng(0), np.arange(10 * RATE) / RATE
    nothing = {
        "silence": np.zeros(10 * RATE, np.int16),
        "noise": scaled(rng.standard_normal(10 * RATE)),
        "drone": scaled(np.sin(2 * np.pi * 110 * times) + 0.3 * np.sin(2 * np.pi * 165 * times)),
        "crackle": scaled((rng.random(10 * RATE) < 3e-4) * 1.0),
    }
    assert {name: heard(samples)[:2] for name, samples in nothing.items()} == dict.fromkeys(nothing, (None, ""))
    assert heard(nothing["silence"]).loudness is None
    held = heard(chords([[60, 64, 67]], 10.0))
    assert (held.tempo, held.key) == (None, "C major")
    assert heard(clicks(120)).key == ""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("length", [0, 1, 500, 0.4 * RATE, RATE])
def test_any_length_of_any_sound(length):
    length = int(length)
    for samples in (np.full(length, -32768), np.arange(length) % 2 * 65535 - 32768, np.zeros(length)):
        found = heard(samples.astype(np.int16))
        assert found.tempo is None and found.key in ("", *KEYS)


def test_of_a_long_piece_the_middle_counts():
    before, middle = clicks(76, 100.0), clicks(100, 120.0)
    assert heard(np.concatenate([before, middle, before])).tempo == pytest.approx(100, rel=0.01)


def test_librosa_is_imported_by_one_process_at_a_time(monkeypatch):
    """Two concurrent first imports damage librosa's compiled functions and crash every later use."""
    imported = {}

    def import_module(name):
        with Path(find_spec("librosa").origin).open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return imported.setdefault(name, object())

    monkeypatch.setattr(sound, "import_module", import_module)
    assert sound.import_librosa.__wrapped__() is imported["librosa"]
    assert {"librosa.util", "librosa.core.pitch"} < imported.keys()
    with Path(find_spec("librosa").origin).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
