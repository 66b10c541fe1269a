"""The first damaged files of `benchmarks.headers`: each becomes a row in download, segment and index."""

import numpy as np
import pytest

from benchmarks.headers import mutated, run, seeds
from pipeline.media import sandbox

pytestmark = pytest.mark.slow
FILES = 60
KINDS = {"mp3 libmp3lame.mp3", "mp4 aac.m4a", "matroska libopus.webm", "flac flac.flac", "wav pcm_s16le.wav"}


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    return seeds(tmp_path_factory.mktemp("wholes"))


def test_every_damaged_file_is_a_row(wholes, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "SECONDS", 10.0)
    assert wholes.keys() >= KINDS and len(wholes) > 100
    counts, wrong = run(tmp_path, mutated({name: wholes[name] for name in list(wholes)[::2]}, FILES, seed=1))
    assert wrong == []
    assert {stage: sum(found.values()) for stage, found in counts.items()} == dict.fromkeys(counts, FILES)
    assert all(found["ok"] < FILES for found in counts.values()), "some are damaged"
    assert any(found["ok"] for found in counts.values()), "and some are whole enough"


def test_the_files_are_the_same_each_time(wholes):
    one, other = (dict(mutated(wholes, 20, seed=3)) for _ in range(2))
    assert one == other and len(one) == 20
    assert one.values() != dict(mutated(wholes, 20, seed=4)).values()
    assert np.mean([data != whole for data, whole in zip(one.values(), wholes.values(), strict=False)]) > 0.8


def test_a_file_without_a_row_is_reported(wholes, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.headers._checked", lambda path, cutting: 1 / 0)
    _, wrong = run(tmp_path, mutated(wholes, 1, seed=0))
    assert wrong == ["download: 00000.webm: ZeroDivisionError: division by zero"]
