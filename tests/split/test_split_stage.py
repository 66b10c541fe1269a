import json
import logging
import pickle

import pytest

from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.tables import DATASET, FILMS, SEGMENTS, read_table, write_table
from pipeline.split.section import Split
from stages.split import main

SPLIT = Split(train=0.5, valid=0.25, eval=0.25, seed=0)
TRACKS = {"AAA": 2, "AAB": 1, "AAC": 11, "AAD": 3, "AAE": 0, "AAF": 1, "AAG": 1}
STATUS = {"AAF": "no_plot", "AAG": "no_plot"}


def film(fid):
    status = STATUS.get(fid, "ok")
    return {
        "fid": fid, "status": status, "reason": "" if status == "ok" else "why", "title": f"Film {fid}", "year": 1985,
        "tags": f"1985 drama {fid.lower()}", "categories": ["1985 films"], "plot": f"Né — {fid}.\nThen “more”.",
        "image": f"data/image/{fid}.jpg", "poster_url": "", "poster_page": "", "placeholders": [], "url": f"https://en.wikipedia.org/wiki/{fid}",
    }  # fmt: skip


def segment(fid, number, status="ok"):
    ok = status == "ok"
    return {
        "fid": fid, "number": number if ok else None, "status": status, "reason": "" if ok else "why",
        "path": f"data/audio/{'/'.join(fid)}/{number}.mp3" if ok else "", "source": f"data/downloads/{fid}/000.webm",
        "source_url": f"https://example.org/{fid}", "start_seconds": 30.0 * number, "seconds": 30.0,
        "sha256": f"{fid}{number}", "file_sha256": f"file {fid}{number}", "title": "Theme", "loudness_lufs": -20.0,
        "peak_dbfs": -1.0,
    }  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """Seven films: two without a plot, one without audio."""
    segments = [segment(fid, number) for fid, count in TRACKS.items() for number in range(count)]
    segments.append(segment("AAE", 0, "corrupt"))
    write_table(tmp_path / "data/films.parquet", map(film, TRACKS), FILMS)
    write_table(tmp_path / "data/segments.parquet", segments, SEGMENTS)
    return tmp_path


def meta(root, name):
    return json.loads((root / "data/meta" / name).read_text(encoding="utf-8"))


def test_the_reference_files(root):
    main(root, SPLIT)
    assert {path.name for path in (root / "data/meta").iterdir()} == {
        "train.json", "valid.json", "eval.json", "fid_to_text.json", "meta.json", "movie_all_audio_paths.pkl",
    }  # fmt: skip
    splits = {split: meta(root, f"{split}.json") for split in ("train", "valid", "eval")}
    seen = []
    for entries in splits.values():
        assert list(entries) == [str(i) for i in range(len(entries))]
        assert all(list(entry) == ["path", "FID"] for entry in entries.values())
        seen.append({entry["FID"] for entry in entries.values()})
        for entry in entries.values():
            assert entry["path"].startswith(f"./data/audio/{'/'.join(entry['FID'])}/")
    assert [len(fids) for fids in seen] == [2, 1, 1]
    assert set.union(*seen) == {"AAA", "AAB", "AAC", "AAD"} and sum(map(len, seen)) == 4  # no film on two splits
    assert sum(map(len, splits.values())) == 17
    assert meta(root, "fid_to_text.json") == {fid: f"1985 drama {fid.lower()}" for fid in sorted(set.union(*seen))}
    assert meta(root, "meta.json")["AAA"] == {"plot": "Né — AAA.\nThen “more”."}
    candidates = [entry["path"] for entry in splits["eval"].values()]
    assert (root / "data/meta/movie_all_audio_paths.pkl").read_bytes() == pickle.dumps(candidates, protocol=4)


def test_numbers_are_ordered_as_numbers(root):
    main(root, SPLIT)
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    assert [row["number"] for row in rows if row["fid"] == "AAC"] == list(range(11))


def test_the_table_joins_films_and_segments(root):
    main(root, SPLIT)
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    order = [("train", "valid", "eval").index(row["split"]) for row in rows]
    keys = [(split, row["fid"], row["number"]) for split, row in zip(order, rows, strict=True)]
    assert keys == sorted(keys) and len(keys) == 17
    row = next(row for row in rows if row["fid"] == "AAD" and row["number"] == 1)
    split = row.pop("split")
    assert row == {
        "fid": "AAD", "number": 1, "path": "data/audio/A/A/D/1.mp3", "seconds": 30.0, "sha256": "AAD1",
        "file_sha256": "file AAD1",
        "title": "Film AAD", "year": 1985, "tags": "1985 drama aad", "plot": "Né — AAD.\nThen “more”.",
        "image": "data/image/AAD.jpg", "url": "https://en.wikipedia.org/wiki/AAD",
        "source_url": "https://example.org/AAD",
    }  # fmt: skip
    assert "AAD" in {entry["FID"] for entry in meta(root, f"{split}.json").values()}


def test_two_runs_give_the_same_bytes(root):
    main(root, SPLIT)
    written = [*(root / "data/meta").iterdir(), root / "data/dataset.parquet"]
    before = {path: path.read_bytes() for path in written}
    main(root, SPLIT)
    assert {path: path.read_bytes() for path in written} == before


def test_counts_are_reported(root, caplog):
    with caplog.at_level(logging.INFO):
        main(root, SPLIT)
    assert "train: 2 films" in caplog.text and "eval: 1 films" in caplog.text
    assert "3 films left out (2 no_plot, 1 no_audio)" in caplog.text
    assert "films asked" in caplog.text
    assert json.loads((root / "metrics/coverage.json").read_text())["films_in_data_set"] == 4


def test_no_usable_film_is_an_error_with_the_counts(root):
    write_table(root / "data/films.parquet", map(film, ["AAE", "AAF", "AAG"]), FILMS)
    with pytest.raises(StageError, match=r"none of the 3 films can be used \(2 no_plot, 1 no_audio\)"):
        main(root, SPLIT)
    assert not (root / "data/dataset.parquet").exists()
    assert json.loads((root / "metrics/coverage.json").read_text())["films_in_data_set"] == 0


@pytest.mark.parametrize(("name", "stage"), [("films", "parse"), ("segments", "segment")])
def test_a_missing_table_names_the_stage_to_run(name, stage, root):
    (root / f"data/{name}.parquet").unlink()
    with pytest.raises(MissingFileError, match=f"dvc repro {stage}"):
        main(root, SPLIT)
