"""The stage on three films: files that fit together, byte for byte the same again."""

import runpy
import sys

import numpy as np
import pytest

import stages.features
from pipeline.errors import MissingFileError, ParamsError, StageError
from pipeline.features.films import films_of, open_store
from pipeline.tables import DATASET, write_table
from stages.features import main

INPUTS = ["image", "tags", "plot", "tags_plot"]


def test_the_three_tables_serve_every_input_and_repeat(tmp_path, dataset, features):
    folder = tmp_path / "data/features"
    contents = []
    for _ in range(2):
        for kind in ("audio", "image", "text"):
            main(tmp_path, kind, "cpu", features)
        contents.append({path.name: path.read_bytes() for path in folder.glob("*.parquet")})
    assert contents[0].keys() == {"audio.parquet", "image.parquet", "text.parquet"}
    assert contents[0] == contents[1]
    store = open_store(folder, INPUTS)
    films = films_of(dataset, store)
    assert [film.fid for film in films] == ["AAA", "AAB", "AAC"]
    assert [len(film.input_rows["plot"]) for film in films] == [2, 1, 1]
    assert {name: spec["width"] for name, spec in store.specs().items() if name != "audio"} == {
        "image": 1280,
        "tags": 384,
        "plot": 384,
        "tags_plot": 384,
    }
    short = films[1].track_rows[0]  # 0.02 s
    assert np.isfinite(store.window(short, 0, 40)).all()


def test_without_a_data_set_the_stage_says_what_to_run(tmp_path, features):
    with pytest.raises(MissingFileError, match=r"dataset\.parquet is missing: run `dvc repro split`"):
        main(tmp_path, "audio", "cpu", features)
    write_table(tmp_path / "data/dataset.parquet", [], DATASET)
    with pytest.raises(StageError, match=r"lists no track: run `dvc repro split`"):
        main(tmp_path, "audio", "cpu", features)


def test_cuda_must_be_there_when_asked_for(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"device: found 'cuda'"):
        main(tmp_path, "image", "cuda", features)


@pytest.mark.parametrize("arguments", [[], ["--kind", "video"]])
def test_an_unknown_kind_is_refused(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["features.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(stages.features.__file__, run_name="__main__")
    assert caught.value.code == 2
    assert "--kind" in capsys.readouterr().err
