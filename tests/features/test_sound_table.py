"""The table of sound descriptors: one row per track, resumed after a kill."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MissingFileError
from pipeline.core.tables import SOUND as COLUMNS
from pipeline.core.tables import read_table
from pipeline.features import sound_table
from pipeline.features.peaks import peaks_of
from pipeline.features.sound import describe
from pipeline.features.sound_table import write_sounds
from pipeline.media.tracks import track_samples
from tests.features.small import SOUND
from tests.small_machine import MACHINE


@pytest.mark.slow
def test_rows_describe_the_sound_of_the_files(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(sound_table, "TABLE_ROWS", 3)
    path = tmp_path / "sound.parquet"
    assert write_sounds(tmp_path, path, dataset, SOUND, MACHINE) == len(dataset)
    rows = read_table(path, COLUMNS, "features@sound")
    assert pq.ParquetFile(path).num_row_groups == 2
    assert json.loads(pq.read_metadata(path).metadata[b"soundtrack"])["spec"]["sample_rate"] == SOUND.sample_rate
    for row, track in zip(rows, dataset, strict=True):
        samples = (track_samples(tmp_path, track, SOUND.sample_rate) * 32768).astype(np.int16)
        expected = describe(samples, SOUND.sample_rate, SOUND)._asdict() | {"peaks": peaks_of(samples)}
        assert row == {"fid": track["fid"], "number": track["number"], "sha256": track["file_sha256"]} | expected
    assert [row["loudness"] is None for row in rows] == [False, False, True, False], "0.02 s have no loudness"


@pytest.mark.slow
def test_what_a_killed_run_had_finished_is_kept(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(sound_table, "GROUP_ROWS", 1)
    path = tmp_path / "sound.parquet"
    (tmp_path / dataset[2]["path"]).rename(tmp_path / "away.mp3")
    with pytest.raises(MissingFileError, match=r"A/A/B/0\.mp3 is missing: run `dvc repro segment`"):
        write_sounds(tmp_path, path, dataset, SOUND, MACHINE)
    assert not path.exists()
    (tmp_path / "away.mp3").rename(tmp_path / dataset[2]["path"])
    assert write_sounds(tmp_path, path, dataset, SOUND, MACHINE) == 2
    once = path.read_bytes()
    assert write_sounds(tmp_path, path, dataset, SOUND, MACHINE) == 0
    assert path.read_bytes() == once
