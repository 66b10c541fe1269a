"""Odd recordings among good ones: each gives one row, and the others are cut as without it."""

import dataclasses

import numpy as np
import pytest
import soundfile

from pipeline.core.errors import StageError
from pipeline.media import sandbox
from pipeline.segment import film, films
from tests.media.misbehaving import crashing, eating, hanging
from tests.segment.sounds import RATE, music, tone

GOOD, ODD, LAST = 0, 1, 2  # numbers of recordings


@pytest.fixture
def three(record):
    """Rows of three recordings; tests replace the middle one."""
    return [record.samples("AAA", number, music(1 + number, 6.0)) for number in (GOOD, ODD, LAST)]


def outcomes(rows):
    return [(row["source"][-7:-4], row["status"]) for row in rows]


OTHERS_OK = [("000", "ok"), ("000", "ok"), ("000", "ok"), ("002", "ok"), ("002", "ok"), ("002", "ok")]


def alone(rows):
    """Check that the other recordings are cut, and return the row of the odd one."""
    assert [found for found in outcomes(rows) if found[0] != "001"] == OTHERS_OK
    assert [row["number"] for row in rows if row["status"] == "ok"] == list(range(6))
    (row,) = [row for row in rows if row["source"].endswith("001.wav")]
    return row


def test_many_channels_are_heard(three, settings, film_rows, tmp_path):
    waves = np.repeat(tone(440, 4, 44100)[:, None], 9, axis=1)
    soundfile.write(tmp_path / three[ODD]["path"], waves, 44100)
    rows = [row for row in film_rows(settings, three) if row["source"].endswith("001.wav")]
    assert [row["status"] for row in rows] == ["ok"] * 2


def test_opposite_channels_are_heard(three, settings, film_rows, tmp_path):
    wave = music(9, 6.0)
    soundfile.write(tmp_path / three[ODD]["path"], np.stack([wave, -wave], axis=1), RATE)
    rows = [row for row in film_rows(settings, three) if row["source"].endswith("001.wav")]
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert {row["peak_dbfs"] for row in rows} != {None}


@pytest.mark.parametrize("place", [0, 5.5])
def test_a_recording_with_nan_samples_is_corrupt_as_a_whole(place, three, settings, film_rows, tmp_path):
    wave = music(9, 6.0) / 32768
    wave[round(place * RATE)] = np.nan
    soundfile.write(tmp_path / three[ODD]["path"], wave, RATE, subtype="FLOAT")
    row = alone(film_rows(settings, three))
    assert (row["status"], row["reason"]) == ("corrupt", "it has samples that are NaN or infinite")
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == [f"{n}.mp3" for n in range(6)]


@pytest.mark.parametrize("work", [crashing, hanging, eating])
def test_a_hanging_decoder_loses_one_recording(work, three, settings, film_rows, monkeypatch):
    monkeypatch.setattr(sandbox, "_idle", [])
    monkeypatch.setattr(sandbox, "MEMORY_BYTES", 1 << 29)
    monkeypatch.setattr(sandbox, "SECONDS", 2.0 if work is hanging else 30.0)
    mono = film.mono

    def odd(path, rate):
        return sandbox.decoded(work, path) if path.name == "001.wav" else mono(path, rate)

    monkeypatch.setattr(film, "mono", odd)
    row = alone(film_rows(settings, three))
    assert row["status"] == "corrupt" and row["reason"]


def test_nothing_is_a_duplicate_of_a_corrupt_recording(three, settings, film_rows, tmp_path):
    """It has the music of the last recording, up to the damage."""
    wave = np.concatenate([music(1 + LAST, 6.0), music(9, 2.0)]) / 32768
    wave[-1] = np.inf
    soundfile.write(tmp_path / three[ODD]["path"], wave, RATE, subtype="DOUBLE")
    assert alone(film_rows(settings, three))["status"] == "corrupt"


def test_a_recording_that_breaks_the_second_time_is_corrupt(three, settings, film_rows, monkeypatch):
    """Segments that were selected but not yet encoded are decoded again."""
    mono, begun = film.mono, []

    def once(path, rate):
        begun.append(path.name)
        return sandbox.decoded(crashing, path) if begun.count("002.wav") == 2 else mono(path, rate)

    monkeypatch.setattr(film, "mono", once)
    rows = film_rows(dataclasses.replace(settings, max_per_film=3), three)
    assert begun == ["000.wav", "001.wav", "002.wav", "001.wav", "002.wav"]
    assert [row["status"] for row in rows if row["source"].endswith("002.wav")].count("corrupt") == 1
    assert [row["number"] for row in rows if row["status"] == "ok"] == [0, 1]


def test_a_disk_error_names_the_file(three, settings, tmp_path, monkeypatch):
    def refused(path, rate):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(film, "mono", refused)
    with pytest.raises(StageError, match=r"^segment: .*/data/downloads/AAA/000\.wav: Permission denied; .*$"):
        films.segment_all(tmp_path, three, settings, 1)
    monkeypatch.undo()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(films, "save", full)
    with pytest.raises(StageError, match=r"^segment: .*/segments\.parquet: No space left on device; .*$"):
        films.segment_all(tmp_path, three, settings, 1)
