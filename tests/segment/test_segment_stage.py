import dataclasses
import json
import logging

import pytest

from pipeline.errors import MissingFileError, StageError
from pipeline.tables import DOWNLOADS, SEGMENTS, read_table, write_table
from stages.segment import main


def rows(root):
    return read_table(root / "data/segments.parquet", SEGMENTS, "segment")


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "data/audio").rglob("*.*")}


def test_the_result_does_not_depend_on_the_number_of_processes(record, settings, tmp_path, caplog):
    downloads = [record("AAA", 0, [300, 300, 400]), record("AAA", 1, [500]), record("ABB", 0, [600, 700], ".m4a")]
    downloads += [record.row("ABC", 0, "", status="gone"), record.row("ABD", 0, "data/downloads/ABD/000.mp3")]
    write_table(tmp_path / "data/downloads.parquet", downloads, DOWNLOADS)
    (tmp_path / "data/audio/Z/Z/Z").mkdir(parents=True)
    (tmp_path / "data/audio/Z/Z/Z/0.mp3").write_bytes(b"of a film that left")
    with caplog.at_level(logging.INFO):
        main(tmp_path, settings)
    found = [(row["fid"], row["number"], row["status"]) for row in rows(tmp_path)]
    assert found == [("AAA", 0, "ok"), ("AAA", 1, "ok"), ("AAA", 2, "ok"), ("ABB", 0, "ok"), ("ABD", None, "missing")]
    assert "recordings: 3 ok, 1 missing" in caplog.text and "segments: 4 ok, 1 missing" in caplog.text
    assert json.loads((tmp_path / "metrics/coverage.json").read_text())["segments"] == 4
    assert "minutes of segments" in caplog.text
    assert sorted(files(tmp_path)) == [row["path"] for row in rows(tmp_path) if row["path"]]

    before = files(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()
    main(tmp_path, dataclasses.replace(settings, processes=3))
    assert (files(tmp_path), (tmp_path / "data/segments.parquet").read_bytes()) == before


def test_too_few_recordings_stop_the_stage(record, settings, tmp_path):
    lost = [record.row("AAA", n, f"data/downloads/AAA/00{n}.mp3") for n in range(2)]
    write_table(tmp_path / "data/downloads.parquet", [*lost, record("AAB", 0, [300, 300, 300])], DOWNLOADS)
    with pytest.raises(StageError, match=r"segment: 1 of 3 recordings succeeded \(1 ok, 2 missing\)"):
        main(tmp_path, settings)


def test_without_downloads_the_message_says_what_to_run(settings, tmp_path):
    with pytest.raises(MissingFileError, match="dvc repro download"):
        main(tmp_path, settings)


@pytest.mark.parametrize(("sample_rate", "bit_rate"), [(22050, 320000), (44100, 16000)])
def test_a_bit_rate_that_mp3_does_not_have_is_refused(sample_rate, bit_rate, settings):
    with pytest.raises(ValueError, match=f"bit_rate: found {bit_rate}"):
        dataclasses.replace(settings, sample_rate=sample_rate, bit_rate=bit_rate)
