"""One film: segments, dropped ones with reasons, and numbers."""

import dataclasses
import hashlib
import tracemalloc

import av
import numpy as np
import pytest

from pipeline.core.errors import StageError
from pipeline.media.loudness import loudness_lufs, peak_dbfs
from pipeline.segment import film
from pipeline.segment.film import FilmRecordings, segment_film
from pipeline.segment.state import FilmState
from tests.segment.sounds import RATE, decoded, music, pitch, tone

pytestmark = pytest.mark.slow

SILENCE = np.zeros(2 * RATE, np.int16)


@pytest.fixture
def pieces_of_4(settings):
    return dataclasses.replace(settings, seconds=4.0, hop_seconds=4.0, min_seconds=2.0)


def outcomes(rows):
    return [(row["number"], row["status"]) for row in rows]


def digest(samples):
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".mp3", ".ogg", ".flac", ".ts", ".caf"])
def test_a_recording_becomes_pieces_in_order(suffix, record, settings, film_rows, tmp_path):
    recording = record("ABC", 0, [300, 300, 600, 600, 900], suffix, "stereo")
    rows = film_rows(settings, [recording])
    assert [(row["number"], row["status"], row["path"]) for row in rows] == [
        (0, "ok", "data/audio/A/B/C/0.mp3"),
        (1, "ok", "data/audio/A/B/C/1.mp3"),
        (2, "ok", "data/audio/A/B/C/2.mp3"),
    ]
    assert [row["start_seconds"] for row in rows] == [0.0, 2.0, 4.0]
    assert [row["seconds"] for row in rows] == pytest.approx([2.0, 2.0, 1.0], abs=0.06)
    for row, hertz in zip(rows, [300, 600, 900], strict=True):
        samples = decoded(tmp_path / row["path"])
        assert len(samples) / RATE == pytest.approx(row["seconds"], abs=1e-6)
        assert pitch(samples[2000:-2000]) == pytest.approx(hertz, abs=5)
        assert row["source"] == recording["path"] and row["source_url"] == recording["video_url"]
        assert row["title"] == recording["title"]


def test_a_row_tells_loudness_peak_and_digests(record, settings, film_rows, tmp_path):
    recording = record.samples("AAA", 0, music(1, 3.5))
    rows = film_rows(settings, [recording])
    samples = decoded(tmp_path / recording["path"])
    for row, part in zip(rows, (samples[: 2 * RATE], samples[2 * RATE :]), strict=True):
        assert row["sha256"] == digest(part)
        assert row["loudness_lufs"] == loudness_lufs(part, RATE)
        assert row["peak_dbfs"] == peak_dbfs(part)
        assert row["file_sha256"] == hashlib.sha256((tmp_path / row["path"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("format", ["mp3", "flac", "ogg"])
def test_the_format(format, record, settings, film_rows, tmp_path):
    settings = dataclasses.replace(settings, format=format)
    rows = film_rows(settings, [record.samples("AAA", 0, music(1, 4))])
    assert [row["path"] for row in rows] == [f"data/audio/A/A/A/{n}.{format}" for n in (0, 1)]
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == [f"0.{format}", f"1.{format}"]
    if format == "flac":
        assert [digest(decoded(tmp_path / row["path"])) for row in rows] == [row["sha256"] for row in rows]


def test_chapters_name_the_tracks(record, settings, film_rows):
    chapters = [("One", 0.5, 3.0), ("Two", 3.0, 6.2), ("", 6.2, 8.0)]
    chapters = [{"title": t, "start_seconds": a, "end_seconds": b} for t, a, b in chapters]
    rows = film_rows(settings, [record.samples("AAA", 0, music(1, 8), chapters=chapters, title="Album")])
    assert [(row["title"], row["start_seconds"], row["status"]) for row in rows] == [
        ("Album", 0.0, "ok"), ("One", 0.5, "ok"), ("One", 2.5, "ok"), ("Two", 3.0, "ok"), ("Two", 5.0, "ok"),
        ("Album", 6.2, "ok"),
    ]  # fmt: skip


def test_numbers_continue_across_recordings_and_skip_failures(record, settings, film_rows, tmp_path):
    folder = tmp_path / "data/downloads/AAA"
    folder.mkdir(parents=True)
    (folder / "001.webm").write_bytes(b"<html>")
    (folder / "004.webm").write_bytes(b"")
    recordings = [
        record("AAA", 0, [200, 200, 300]),
        record.row("AAA", 1, "data/downloads/AAA/001.webm"),
        record.row("AAA", 2, "data/downloads/AAA/002.webm"),
        record("AAA", 3, [400, 400, 500, 500]),
        record.row("AAA", 4, "data/downloads/AAA/004.webm"),
    ]
    rows = film_rows(dataclasses.replace(settings, min_seconds=1.5), recordings)
    assert outcomes(rows) == [
        (0, "ok"), (None, "too_short"), (None, "corrupt"), (None, "missing"), (1, "ok"), (2, "ok"), (None, "corrupt"),
    ]  # fmt: skip
    assert all(bool(row["reason"]) == (row["status"] != "ok") for row in rows)
    assert rows[1]["start_seconds"] == 2.0 and rows[1]["seconds"] == pytest.approx(1.0)
    assert rows[1]["reason"] == "1.00 s is less than segment.min_seconds (1.5)"
    assert rows[3]["reason"] == "data/downloads/AAA/002.webm is missing: run `dvc repro download`"
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == ["0.mp3", "1.mp3", "2.mp3"]


def test_a_truncated_recording_is_cut_as_far_as_it_goes(record, settings, film_rows, tmp_path):
    recordings = [
        record.samples("AAA", number, music(number, 9), suffix) for number, suffix in ((0, ".mp3"), (1, ".m4a"))
    ]
    for recording in recordings:
        data = (tmp_path / recording["path"]).read_bytes()
        (tmp_path / recording["path"]).write_bytes(data[: len(data) * 2 // 3])
    rows = film_rows(settings, recordings)
    assert outcomes(rows) == [(0, "ok"), (1, "ok"), (2, "ok"), (None, "corrupt")]  # an m4a has its index at its end


def test_the_padding_that_codecs_append_is_no_row(record, settings, film_rows):
    assert outcomes(film_rows(settings, [record("AAA", 0, [440, 440], ".m4a")])) == [(0, "ok")]  # AAC adds 9 ms


def test_a_recording_that_is_too_short_as_a_whole(record, settings, film_rows):
    recording = record("AAA", 0, [440])
    assert outcomes(film_rows(settings, [recording])) == [(0, "ok")]
    longer = dataclasses.replace(settings, min_seconds=1.5)
    assert outcomes(film_rows(longer, [recording])) == [(None, "too_short")]
    rows = film_rows(settings, [record.samples("AAA", 1, tone(440, 0.05))])
    assert outcomes(rows) == [(None, "too_short")] and rows[0]["seconds"] == pytest.approx(0.05, abs=1e-4)


def test_a_rest_is_joined_where_asked(record, settings, film_rows, tmp_path):
    recording = record.samples("AAA", 0, music(1, 6.3))
    rows = film_rows(settings, [recording])
    assert [(row["status"], row["seconds"]) for row in rows[2:]] == [("ok", 2.0), ("too_short", 0.3)]
    joined = film_rows(dataclasses.replace(settings, rest="join"), [recording])
    assert [(row["status"], row["seconds"]) for row in joined[2:]] == [("ok", 2.3)]
    assert len(decoded(tmp_path / joined[2]["path"])) == round(2.3 * RATE)


def test_silent_pieces_are_dropped(record, settings, film_rows):
    quiet = (tone(440, 2) * 0.002).astype(np.int16)  # -65 LUFS
    wave = np.concatenate([tone(440, 2), SILENCE, quiet, tone(660, 2), tone(500, 0.5) // 8000])
    recording = record.samples("AAA", 0, wave)
    rows = film_rows(dataclasses.replace(settings, min_seconds=0.2), [recording])
    assert outcomes(rows) == [(0, "ok"), (None, "silent"), (None, "silent"), (1, "ok"), (None, "silent")]
    assert rows[1]["reason"] == "digital silence, segment.silence_lufs is -60"
    assert rows[2]["reason"] == f"{rows[2]['loudness_lufs']:.1f} LUFS, segment.silence_lufs is -60"
    assert rows[4]["reason"] == "less than -70 LUFS, segment.silence_lufs is -60"
    rows = film_rows(dataclasses.replace(settings, silence_lufs=-69.0), [recording])
    assert [row["status"] for row in rows] == ["ok", "silent", "ok", "ok", "silent"]
    rows = film_rows(dataclasses.replace(settings, silence_lufs=None), [recording])
    assert [row["status"] for row in rows] == ["ok"] * 5
    assert rows[1]["loudness_lufs"] is None and rows[1]["peak_dbfs"] is None


def test_a_piece_too_short_for_a_loudness_is_judged_by_its_peak(record, settings, film_rows):
    settings = dataclasses.replace(settings, seconds=0.3, hop_seconds=0.3, min_seconds=0.2)
    wave = np.concatenate([tone(440, 0.3), tone(440, 0.3) // 8000])
    rows = film_rows(settings, [record.samples("AAA", 0, wave)])
    assert outcomes(rows) == [(0, "ok"), (None, "silent")]
    assert "a peak of -84.3 dBFS" in rows[1]["reason"]


def test_exact_duplicates_are_dropped_wherever_they_are(record, settings, film_rows):
    a, b = music(1, 2), music(2, 2)
    recordings = [record.samples("AAA", 0, np.concatenate([a, b, a])), record.samples("AAA", 1, b)]
    rows = film_rows(settings, recordings)
    assert outcomes(rows) == [(0, "ok"), (1, "ok"), (None, "duplicate"), (None, "duplicate")]
    assert rows[2]["reason"] == "the same samples as data/downloads/AAA/000.wav from 0.00 s"
    assert rows[3]["reason"] == "the same samples as data/downloads/AAA/000.wav from 2.00 s"
    rows = film_rows(dataclasses.replace(settings, duplicate_bit_errors=None), recordings)
    assert outcomes(rows) == [(0, "ok"), (1, "ok"), (2, "ok"), (3, "ok")]


def test_the_same_recording_uploaded_twice(record, pieces_of_4, film_rows):
    """Shifted, at half the level, in another codec: its pieces overlap two of the first upload."""
    samples = music(1, 20)
    other = np.concatenate([music(9, 5.03), samples // 2, music(8, 6)])
    recordings = [record.samples("AAA", 0, samples, ".m4a"), record.samples("AAA", 1, other, ".mp3", bit_rate=64000)]
    rows = film_rows(pieces_of_4, recordings)
    assert [row["status"] for row in rows[:5]] == ["ok"] * 5
    # Pieces of the second: 4 s of intro; 1 s of it and 3 of music; music; 1 s of it and 3 of the ending; the ending.
    assert [row["status"] for row in rows[5:]] == ["ok", "ok", *["duplicate"] * 4, "ok", "ok"]
    assert rows[7]["reason"].startswith("data/downloads/AAA/000.m4a from 3.0 s sounds the same: 0.")
    assert rows[7]["reason"].endswith("of the bits differ, segment.duplicate_bit_errors is 0.25")
    assert [row["number"] for row in rows if row["status"] == "ok"] == list(range(9))


def test_pieces_too_short_for_a_print_are_not_duplicates(record, settings, film_rows):
    recordings = [record.samples("AAA", 0, music(1, 8)), record.samples("AAA", 1, music(1, 8) // 2, ".mp3")]
    assert {row["status"] for row in film_rows(settings, recordings)} == {"ok"}  # pieces of 2 s


def test_a_clip_of_an_album(record, pieces_of_4, film_rows):
    album = music(1, 60)
    clip = record.samples("AAA", 1, album[23 * RATE : 35 * RATE], ".webm", bit_rate=48000)
    rows = film_rows(pieces_of_4, [record.samples("AAA", 0, album), clip])
    assert [row["status"] for row in rows] == ["ok"] * 15 + ["duplicate"] * 3
    rows = film_rows(
        dataclasses.replace(pieces_of_4, duplicate_bit_errors=None), [record.samples("AAA", 0, album), clip]
    )
    assert [row["status"] for row in rows] == ["ok"] * 18


def test_different_music_is_not_a_duplicate(record, pieces_of_4, film_rows):
    noise = np.random.default_rng(0).normal(0, 3000, (2, 8 * RATE)).astype(np.int16)
    waves = [music(1, 12), music(2, 12), music(1, 12, semitones=2), music(1, 12, tempo=1.2), *noise]
    waves += [tone(400, 8), tone(500, 8)]
    recordings = [record.samples("AAA", number, wave) for number, wave in enumerate(waves)]
    rows = film_rows(pieces_of_4, recordings)
    # Only the tones repeat themselves: they consist of equal pieces.
    assert {row["source"][-7:-4] for row in rows if row["status"] != "ok"} <= {"006", "007"}
    assert {row["reason"][:16] for row in rows if row["status"] != "ok"} <= {"the same samples"}


def test_a_theme_may_come_back_within_a_recording(record, pieces_of_4, film_rows):
    theme = music(1, 8)
    wave = np.concatenate([theme, music(2, 5), theme, music(6, 3)])
    rows = film_rows(pieces_of_4, [record.samples("AAA", 0, wave, ".m4a"), record.samples("AAA", 1, music(4, 8))])
    assert {row["status"] for row in rows} == {"ok"}


def test_a_films_recordings_share_its_maximum(record, settings, film_rows, tmp_path, monkeypatch):
    recordings = [record.samples("AAA", 0, music(1, 14)), record.samples("AAA", 1, music(2, 6))]
    everything = film_rows(settings, recordings)
    assert len(everything) == 10
    written = []
    write = film.write_audio
    monkeypatch.setattr(film, "write_audio", lambda path, *rest: written.append(path) or write(path, *rest))
    rows = film_rows(dataclasses.replace(settings, max_per_film=3), recordings)
    assert outcomes(rows) == [
        *[(None, "surplus")] * 3, (0, "ok"), *[(None, "surplus")] * 3, (1, "ok"), (None, "surplus"), (2, "ok"),
    ]  # fmt: skip
    assert rows[0]["reason"] == "the film has 10 segments, segment.max_per_film is 3"
    assert [row["sha256"] for row in rows] == [row["sha256"] for row in everything]
    assert [row["file_sha256"] for row in rows if row["number"] is not None] == [
        everything[index]["file_sha256"] for index in (3, 7, 9)
    ]
    assert {row["file_sha256"] for row in rows if row["number"] is None} == {""}
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == ["0.mp3", "1.mp3", "2.mp3"]
    assert len(written) == 6  # the first three, then the selected ones that came later
    rows = film_rows(dataclasses.replace(settings, max_per_film=10), recordings)
    assert outcomes(rows) == [(number, "ok") for number in range(10)]


def test_a_piece_that_cannot_be_encoded_is_a_row(record, settings, film_rows, tmp_path, monkeypatch):
    write = film.write_audio

    def fails(path, samples, *rest):
        if digest(samples) == bad:
            path.write_bytes(b"half")
            raise RuntimeError("no")
        write(path, samples, *rest)

    recordings = [record.samples("AAA", 0, music(1, 8))]
    bad = film_rows(settings, recordings)[1]["sha256"]
    monkeypatch.setattr(film, "write_audio", fails)
    rows = film_rows(settings, recordings)
    assert outcomes(rows) == [(0, "ok"), (None, "not_encoded"), (1, "ok"), (2, "ok")]
    assert rows[1]["reason"] == "cannot be encoded as mp3: no"
    three = dataclasses.replace(settings, max_per_film=3)
    assert outcomes(film_rows(three, recordings)) == outcomes(rows)  # it does not take the place of others
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == ["0.mp3", "1.mp3", "2.mp3"]


def test_a_full_disk_ends_the_run(record, settings, film_rows, monkeypatch):
    def full(path, *rest):
        raise av.error.PermissionError(28, "No space left")  # both an FFmpeg error and a system error

    monkeypatch.setattr(film, "write_audio", full)
    with pytest.raises(StageError, match=r"^segment: .*/A/A/A/\.part-0\.mp3: No space left; "):
        film_rows(settings, [record.samples("AAA", 0, music(1, 4))])


def test_the_same_recording_gives_the_same_bytes(record, settings, film_rows, tmp_path):
    recording = record("AAA", 0, [440, 550, 660], ".webm")
    first = film_rows(settings, [recording])
    files = [(tmp_path / row["path"]).read_bytes() for row in first]
    assert film_rows(settings, [recording]) == first
    assert [(tmp_path / row["path"]).read_bytes() for row in first] == files


def test_numbers_are_stable_when_a_source_is_added(record, settings, tmp_path):
    old, new = record.samples("AAA", 0, music(1, 6)), record.samples("AAA", 1, music(2, 4))
    other = record.samples("AAA", 2, music(3, 4))
    alone = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [old], FilmState()))
    files = {row["path"]: (tmp_path / row["path"]).stat() for row in alone.rows}
    at_end = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [old, new], alone))
    assert outcomes(at_end.rows) == [(number, "ok") for number in range(5)]
    in_front = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [other, old, new], at_end))
    assert [row["number"] for row in in_front.rows] == [5, 6, 0, 1, 2, 3, 4]
    assert {row["sha256"]: row["number"] for row in at_end.rows}.items() <= {
        row["sha256"]: row["number"] for row in in_front.rows
    }.items()
    for path, stat in files.items():  # not even rewritten
        assert (tmp_path / path).stat().st_ino == stat.st_ino
        assert (tmp_path / path).stat().st_mtime_ns == stat.st_mtime_ns
    gone = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [other, new], in_front))
    assert [row["number"] for row in gone.rows] == [5, 6, 3, 4]
    back = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [other, old, new], gone))
    assert [row["number"] for row in back.rows] == [5, 6, 0, 1, 2, 3, 4]


def test_numbers_are_stable_when_a_recording_displaces_others(record, settings, tmp_path):
    """Kept segments keep their numbers and are not rewritten; new segments take free numbers."""
    settings = dataclasses.replace(settings, max_per_film=6)
    old, new = record.samples("AAA", 0, music(1, 16)), record.samples("AAA", 1, music(2, 16))
    alone = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [old], FilmState()))
    assert [row["number"] for row in alone.rows] == [0, None, 1, 2, 3, None, 4, 5]
    files = [tmp_path / f"data/audio/A/A/A/{number}.mp3" for number in (3, 4)]
    before = [file.stat().st_ino for file in files]
    both = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [old, new], alone))
    assert [row["number"] for row in both.rows[:8]] == [None, 0, None, None, 3, None, 4, None]
    assert [row["number"] for row in both.rows[8:]] == [None, 1, None, None, 2, None, 5, None]
    assert [file.stat().st_ino for file in files] == before


def test_untrusted_files_are_rewritten_under_their_numbers(record, settings, tmp_path):
    old = record.samples("AAA", 0, music(1, 6))
    first = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [old], FilmState()))
    (tmp_path / first.rows[1]["path"]).write_bytes(b"of another piece")
    doubted = dataclasses.replace(first, trusted=False)
    again = segment_film(
        tmp_path, settings, "", FilmRecordings("AAA", [record.samples("AAA", 1, music(2, 2)), old], doubted)
    )
    assert [row["number"] for row in again.rows] == [3, 0, 1, 2]
    for row in again.rows:
        assert hashlib.sha256((tmp_path / row["path"]).read_bytes()).hexdigest() == row["file_sha256"]


def test_equal_pieces_and_a_file_that_is_gone(record, settings, tmp_path):
    settings = dataclasses.replace(settings, duplicate_bit_errors=None)
    recording = record.samples("AAA", 0, np.tile(music(1, 2), 3))
    first = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [recording], FilmState()))
    (tmp_path / first.rows[0]["path"]).unlink()
    again = segment_film(tmp_path, settings, "", FilmRecordings("AAA", [recording], first))
    assert again == first
    assert all((tmp_path / row["path"]).is_file() for row in again.rows)


@pytest.mark.parametrize("recordings", [1, 2])
def test_memory_does_not_grow_with_the_recording(recordings, record, settings, tmp_path, monkeypatch):
    """With prints (of two recordings) and without."""
    monkeypatch.setattr(film, "write_audio", lambda path, *samples: path.write_bytes(b""))
    settings = dataclasses.replace(settings, seconds=10.0, hop_seconds=10.0, max_per_film=2)

    def peak(seconds):
        wave = np.random.default_rng(0).normal(0, 3000, seconds * RATE).astype(np.int16)
        rows = [record.samples("AAA", number, wave[number:]) for number in range(recordings)]
        del wave
        tracemalloc.start()
        segment_film(tmp_path, settings, "", FilmRecordings("AAA", rows, FilmState()))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(20)
    assert peak(240) < peak(30) + 2_000_000  # 240 s are 10 MB of samples
