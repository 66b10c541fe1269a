"""Files with the same music, by bytes and by sound; files that are merely similar are not grouped."""

import numpy as np
import pytest

from pipeline.apps.library import duplicates as module
from pipeline.apps.library.duplicates import Group, duplicates_of, read_duplicates, write_duplicates
from pipeline.apps.library.table import row_of
from pipeline.media.audio import mono, write_mp3
from pipeline.segment.fingerprint import landmarks_of
from tests.apps.library.world import RATE, music


def row(name: str, seconds: float, sha256: str = "") -> dict:
    return row_of(name, status="ok", seconds=seconds, sha256=sha256 or name)


def landmarks(samples: np.ndarray) -> list[str]:
    """Return the landmarks of segments of 5 s."""
    return [landmarks_of(part, RATE) for part in np.split(samples, range(5 * RATE, len(samples), 5 * RATE))]


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> dict[str, list[str]]:
    """Landmarks by digest: pieces of 15 s, one of them re-encoded, one with the same beginning as another."""
    path = tmp_path_factory.mktemp("again") / "again.mp3"
    pieces = [music(seed, 15.0) for seed in range(4)]
    write_mp3(path, pieces[0] // 2, RATE, 48000)
    again = np.concatenate(list(mono(path, RATE)))
    found = {f"{number}.flac": landmarks(piece) for number, piece in enumerate(pieces)}
    begins = np.concatenate([pieces[1][: 5 * RATE], music(9, 10.0)])
    return found | {"0.mp3": landmarks(again), "begins.mp3": landmarks(begins)}


def test_only_a_re_encoded_recording_is_found(known):
    rows = [row(name, 15.0) for name in known]
    assert duplicates_of(rows, known.__getitem__) == [Group("recording", ["0.flac", "0.mp3"])]


@pytest.mark.parametrize(("length", "count"), [(15.0, 1), (15.9, 1), (16.0, 1), (14.0, 1), (16.1, 0), (13.9, 0)])
def test_lengths_differ_by_at_most_a_second(known, length, count):
    rows = [row("0.flac", 15.0), row("0.mp3", length)]
    assert len(duplicates_of(rows, known.__getitem__)) == count


def test_the_same_bytes_are_found_without_listening(known):
    rows = [row("b.mp3", 1.0, "1"), row("c.mp3", 1.0, "2"), row("a.mp3", 1.0, "1")]
    assert duplicates_of(rows, lambda digest: []) == [Group("content", ["a.mp3", "b.mp3"])]
    rows = [row("z.mp3", 15.0, "0.mp3"), *(row(name, 15.0) for name in ("0.mp3", "0.flac"))]
    assert duplicates_of(rows, known.__getitem__) == [Group("recording", ["0.flac", "0.mp3", "z.mp3"])]


def test_changed_files_are_compared_again(known, tmp_path, monkeypatch):
    rows = [row(name, 15.0) for name in known]
    found = write_duplicates(tmp_path, rows, {}, known.__getitem__)
    assert found.repeats == 1
    assert read_duplicates(tmp_path) == found
    monkeypatch.setattr(module, "duplicates_of", lambda rows, landmarks: [])
    assert write_duplicates(tmp_path, rows, {}, known.__getitem__) == found
    assert write_duplicates(tmp_path, rows[1:], {}, known.__getitem__).groups == []
    (tmp_path / "duplicates.json").write_text('{"made_of": "", "groups": [{"same": "x", "files": []}]}')
    assert read_duplicates(tmp_path).groups == []
