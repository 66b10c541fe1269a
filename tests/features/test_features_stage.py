"""The stage on three films: consistent files, byte for byte the same when repeated."""

import dataclasses
import logging
import re
import runpy
import sys

import pytest
import torch

import stages.features
from pipeline.core.errors import MissingFileError, ParamsError, StageError
from pipeline.core.tables import DATASET, write_table
from pipeline.encoders.section import Features
from pipeline.store.films import films_of, open_store
from stages.features import main
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow

INPUTS = ["image", "tags", "plot"]


def test_the_tables_serve_every_input_and_repeat(tmp_path, dataset, features):
    folder = tmp_path / "data/features"
    contents = []
    for _ in range(2):
        for kind in ("audio", "image", "text", "sound"):
            main(tmp_path, kind, getattr(features, kind), MACHINE)
        contents.append({path.name: path.read_bytes() for path in folder.glob("*.parquet")})
    assert contents[0].keys() == {"audio.parquet", "image.parquet", "text.parquet", "sound.parquet"}
    assert contents[0] == contents[1]
    store = open_store(folder, INPUTS)
    films = films_of(dataset, store)
    assert [film.fid for film in films] == ["AAA", "AAB", "AAC"]
    assert [len(film.input_rows["plot"]) for film in films] == [2, 1, 1]
    assert {name: spec["width"] for name, spec in store.specs().items() if name != "audio"} == {
        "image": 1280,
        "tags": 384,
        "plot": 384,
    }
    short = films[1].track_rows[0]  # 0.02 s
    assert store.windows([short], [0], 40, torch.device("cpu")).isfinite().all()


def test_known_features_are_not_computed_again(tmp_path, dataset, features, caplog):
    """One more film and changed parameters of the text encoder: the rest is reported as known."""

    def computed(kind: str, rows: list[dict], changed: Features = features) -> int:
        write_table(tmp_path / "data/dataset.parquet", rows, DATASET)
        (tmp_path / f"data/features/{kind}.parquet").unlink(missing_ok=True)  # as DVC does
        caplog.clear()
        with caplog.at_level(logging.INFO):
            main(tmp_path, kind, getattr(changed, kind), MACHINE)
        return int(re.search(r"(\d+) (tracks|posters|texts) computed", caplog.text)[1])

    fewer = [row for row in dataset if row["fid"] != "AAC"]
    kinds = ("audio", "image", "text", "sound")
    assert [computed(kind, fewer) for kind in kinds] == [3, 2, 5, 3]
    assert [computed(kind, dataset) for kind in kinds] == [1, 1, 2, 1]
    assert [computed(kind, dataset[::-1]) for kind in ("audio", "image", "text")] == [0, 0, 0]
    shorter = dataclasses.replace(features, text=dataclasses.replace(features.text, max_tokens=32))
    assert [computed(kind, dataset, shorter) for kind in ("audio", "image", "text")] == [0, 0, 7]
    assert computed("text", dataset) == 0, "what was computed before is still there"


def test_without_a_data_set_the_stage_says_what_to_run(tmp_path, features):
    with pytest.raises(MissingFileError, match=r"dataset\.parquet is missing: run `dvc repro split`"):
        main(tmp_path, "audio", features.audio, MACHINE)
    write_table(tmp_path / "data/dataset.parquet", [], DATASET)
    with pytest.raises(StageError, match=r"lists no tracks: run `dvc repro split`"):
        main(tmp_path, "audio", features.audio, MACHINE)


def test_requested_cuda_must_be_available(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"device: found 'cuda'"):
        main(tmp_path, "image", features.image, dataclasses.replace(MACHINE, device="cuda"))


@pytest.mark.parametrize("arguments", [[], ["--kind", "video"]])
def test_an_unknown_kind_is_refused(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["features.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(stages.features.__file__, run_name="__main__")
    assert caught.value.code == 2
    assert "--kind" in capsys.readouterr().err
