"""Segments that sound the same, by the segment stage's fingerprints of generated music."""

import numpy as np
import pytest

from pipeline.core.sharing import packed, unpacked
from pipeline.media.audio import mono, write_mp3
from pipeline.segment.fingerprint import landmarks_of
from pipeline.split import sounds
from pipeline.split.groups import groups_of
from pipeline.split.sounds import same_sounds
from tests.segment.sounds import RATE, music


def row(fid, number, samples):
    path = f"data/audio/{'/'.join(fid)}/{number}.mp3"
    row = {"fid": fid, "number": number, "path": path, "source": f"data/downloads/{fid}/000.webm", "source_url": ""}
    return row | {
        "sha256": path,
        "landmarks": landmarks_of(samples, RATE) if isinstance(samples, np.ndarray) else samples,
    }


def again(samples, tmp_path, level=0.5):
    """Return samples at another level, through MP3 at 32 kbit/s."""
    write_mp3(tmp_path / "again.mp3", (samples * level).astype(np.int16), RATE, 32000)
    return np.concatenate(list(mono(tmp_path / "again.mp3", RATE)))


@pytest.fixture(scope="module")
def pieces():
    return [music(seed, 12.0) for seed in range(12)]


def test_the_same_music_is_found_in_any_codec_level_and_offset(tmp_path, pieces):
    rows = [row(f"AA{chr(65 + n)}", 0, piece) for n, piece in enumerate(pieces)]
    rows += [row(f"AB{chr(65 + n)}", 0, again(pieces[n][7001:], tmp_path)) for n in range(6)]
    assert set(same_sounds(rows)) == {(n, 12 + n) for n in range(6)}


def test_partly_overlapping_segments_are_the_same_music(tmp_path, pieces):
    half = 6 * RATE
    rows = [row("AAA", 0, pieces[0]), row("AAB", 0, np.concatenate([pieces[0][half:], pieces[1][:half]]))]
    rows.append(row("AAC", 0, pieces[2]))
    assert set(same_sounds(rows)) == {(0, 1)}


def test_segments_of_one_film_are_not_compared(pieces):
    rows = [row("AAA", 0, pieces[0]), row("AAA", 1, pieces[0]), row("AAB", 0, pieces[1])]
    assert set(same_sounds(rows)) == set()
    rows.append(row("AAC", 0, pieces[0]))
    assert set(same_sounds(rows)) == {(0, 3), (1, 3)}


def landmarks(words, frames):
    return packed(np.array(words, np.uint32), np.array(frames))


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        ([100, 150, 300], True),  # the same distances
        ([101, 150, 300], True),  # off by half a frame
        ([100, 150, 340], False),  # two at the same distance
        ([0, 5, 9], False),  # three, but within a second
    ],
)
def test_three_words_at_one_distance_across_a_second_are_a_match(frames, match):
    ours = [20, 70, 220] if frames[2] > 9 else [10, 15, 19]
    rows = [row("AAA", 0, landmarks([1, 2, 3], ours)), row("AAB", 0, landmarks([1, 2, 3], frames))]
    assert list(same_sounds(rows)) == ([(0, 1)] if match else [])


def test_a_word_that_is_everywhere_is_ignored(monkeypatch):
    rows = [row(f"AA{chr(65 + n)}", 0, landmarks([7, 8, 9], [0, 50, 100])) for n in range(5)]
    assert len(list(same_sounds(rows))) == 10
    monkeypatch.setattr(sounds, "MOST", 4)
    assert list(same_sounds(rows)) == []


def test_nothing_to_compare():
    assert list(same_sounds([])) == []
    assert list(same_sounds([row("AAA", 0, ""), row("AAB", 0, "")])) == []


def test_landmarks_round_trip_as_text():
    words, frames = np.array([0, 2**32 - 1, 5], np.uint32), np.array([0, 65535, 65536])
    found = unpacked(packed(words, frames))
    assert [column.tolist() for column in found] == [[0, 2**32 - 1], [0, 65535]]
    with pytest.raises(ValueError, match="not landmarks"):
        unpacked("AAAA")


def test_films_with_the_same_music_are_one_group(tmp_path, pieces):
    tracks = {
        "AAB": [row("AAB", 0, pieces[0]), row("AAB", 1, pieces[1])],
        "AAC": [row("AAC", 0, again(pieces[1][5000:], tmp_path))],
        "AAD": [row("AAD", 0, pieces[2])],
    }
    groups = groups_of(tracks, [])
    assert groups.films == {"AAB": "AAB", "AAC": "AAB", "AAD": "AAD"}
    assert groups.shared() == [["AAB", "AAC"]]
    path = {fid: [track["path"] for track in of_film] for fid, of_film in tracks.items()}
    assert groups.sounds[path["AAC"][0]] == groups.sounds[path["AAB"][1]] != groups.sounds[path["AAB"][0]]
    assert len(set(groups.recordings.values())) == 3
