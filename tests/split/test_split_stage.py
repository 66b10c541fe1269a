import json
import logging
import pickle
from dataclasses import replace

import pytest

from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.tables import DATASET, DOWNLOADS, FILMS, SEGMENTS, read_table, write_table
from pipeline.core.variants import Variant
from pipeline.split.section import Split
from stages import split as stage

SPLIT = Split(films="complete", given=None, others="assign", train=0.5, valid=0.25, eval=0.25, seed=0)
VARIANTS = {"Ta": Variant(["tags"]), "Im": Variant(["image"]), "All": Variant(["tags_plot", "image"])}
TRACKS = {"AAA": 2, "AAB": 1, "AAC": 11, "AAD": 3, "AAE": 0, "AAF": 1, "AAG": 1}
STATUS = {"AAF": "no_plot", "AAG": "no_plot"}


def main(root, split, variants=VARIANTS):
    stage.main(root, "corpus", split, variants)


def film(fid):
    status = STATUS.get(fid, "ok")
    return {
        "fid": fid, "status": status, "reason": "" if status == "ok" else "why", "title": f"Film {fid}", "year": 1985,
        "tags": f"1985 drama {fid.lower()}", "categories": ["1985 films"],
        "plot": f"Né — {fid}.\nThen “more”." if status == "ok" else "",
        "image": f"data/image/{fid}.jpg", "poster_url": "", "poster_page": "", "placeholders": [], "url": f"https://en.wikipedia.org/wiki/{fid}",
    }  # fmt: skip


def segment(fid, number, status="ok"):
    ok = status == "ok"
    return {
        "fid": fid, "number": number if ok else None, "status": status, "reason": "" if ok else "why",
        "path": f"data/audio/{'/'.join(fid)}/{number}.mp3" if ok else "", "source": f"data/downloads/{fid}/000.webm",
        "source_url": f"https://example.org/{fid}", "start_seconds": 30.0 * number, "seconds": 30.0,
        "sha256": f"{fid}{number}", "file_sha256": f"file {fid}{number}", "title": "Theme", "loudness_lufs": -20.0,
        "peak_dbfs": -1.0, "landmarks": "",
    }  # fmt: skip


def recording(fid, **known):
    row = dict.fromkeys(DOWNLOADS.names) | {"fid": fid, "number": 0, "status": "ok", "chapters": []}
    return row | {"path": f"data/downloads/{fid}/000.webm", "sha256": f"bytes {fid}"} | known


@pytest.fixture
def root(tmp_path):
    """Seven films: two without a plot, one without audio."""
    segments = [segment(fid, number) for fid, count in TRACKS.items() for number in range(count)]
    segments.append(segment("AAE", 0, "corrupt"))
    write_table(tmp_path / "data/films.parquet", map(film, TRACKS), FILMS)
    write_table(tmp_path / "data/segments.parquet", segments, SEGMENTS)
    write_table(tmp_path / "data/downloads.parquet", map(recording, TRACKS), DOWNLOADS)
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
    assert set.union(*seen) == {"AAA", "AAB", "AAC", "AAD"} and sum(map(len, seen)) == 4  # no film in two sets
    assert sum(map(len, splits.values())) == 17
    assert meta(root, "fid_to_text.json") == {fid: f"1985 drama {fid.lower()}" for fid in sorted(set.union(*seen))}
    assert meta(root, "meta.json")["AAA"] == {"plot": "Né — AAA.\nThen “more”."}
    candidates = [entry["path"] for entry in splits["eval"].values()]
    assert (root / "data/meta/movie_all_audio_paths.pkl").read_bytes() == pickle.dumps(candidates, protocol=4)


def test_numbers_are_sorted_numerically(root):
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
        "source_url": "https://example.org/AAD", "compared": True, "recording": "data/downloads/AAD/000.webm",
        "sound": "data/audio/A/A/D/1.mp3",
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
    assert "films in the list" in caplog.text
    assert json.loads((root / "metrics/coverage.json").read_text())["films_in_data_set"] == 4


def test_no_usable_film_is_an_error_with_the_counts(root):
    write_table(root / "data/films.parquet", map(film, ["AAE", "AAF", "AAG"]), FILMS)
    with pytest.raises(StageError, match=r"none of the 3 films is usable \(2 no_plot, 1 no_audio\)"):
        main(root, SPLIT)
    assert not (root / "data/dataset.parquet").exists()
    assert json.loads((root / "metrics/coverage.json").read_text())["films_in_data_set"] == 0


@pytest.mark.parametrize(("name", "stage"), [("films", "parse"), ("segments", "segment"), ("downloads", "download")])
def test_a_missing_table_names_the_stage_to_run(name, stage, root):
    (root / f"data/{name}.parquet").unlink()
    with pytest.raises(MissingFileError, match=f"dvc repro {stage}"):
        main(root, SPLIT)


def sides(root):
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    return {row["fid"]: row["split"] for row in rows}


def test_films_without_an_input_serve_variants_that_do_not_read_it(root):
    main(root, replace(SPLIT, films="all"))
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    compared = {row["fid"]: row["compared"] for row in rows}
    assert compared == dict.fromkeys(["AAA", "AAB", "AAC", "AAD"], True) | {"AAF": False, "AAG": False}
    assert {row["plot"] for row in rows if row["fid"] == "AAF"} == {""}
    main(root, replace(SPLIT, films="all"), {"Ta": Variant(["tags"])})
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    assert {row["fid"] for row in rows if row["compared"]} == {"AAA", "AAB", "AAC", "AAD", "AAF", "AAG"}
    main(root, replace(SPLIT, films="all"), {"Plo": Variant(["plot"])})
    assert sides(root).keys() == {"AAA", "AAB", "AAC", "AAD"}  # no variant reads the others
    lost = json.loads((root / "metrics/coverage.json").read_text())["lost_films"]
    assert lost["split"]["not_read"]["films"] == ["AAF", "AAG"]


def test_a_variant_that_answers_subsets_reads_available_inputs(root):
    variants = {"Any": Variant(["plot", "image"], drop_inputs=0.5)}
    main(root, replace(SPLIT, films="all"), variants)
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    assert all(row["compared"] for row in rows) and {row["fid"] for row in rows} >= {"AAF", "AAG"}


@pytest.mark.parametrize("shared", ["address", "bytes", "samples"])
def test_films_that_share_a_recording_are_in_one_set(root, shared):
    fids = [f"A{a}{b}" for a in "BCDE" for b in "ABCDEFGH"]
    segments = [segment(fid, number) for fid in fids for number in range(2)]
    downloads = [recording(fid) for fid in fids]
    linked = fids[::3]
    for row in segments:
        if shared == "address" and row["fid"] in linked:
            row["source_url"] = "https://example.org/compilation"
        if shared == "samples" and row["fid"] in linked and row["number"] == 1:
            row["sha256"] = "the same"
    for row in downloads:
        if shared == "bytes" and row["fid"] in linked:
            row["sha256"] = "the same"
    write_table(root / "data/films.parquet", map(film, fids), FILMS)
    write_table(root / "data/segments.parquet", segments, SEGMENTS)
    write_table(root / "data/downloads.parquet", downloads, DOWNLOADS)
    main(root, SPLIT)
    found = sides(root)
    assert len({found[fid] for fid in linked}) == 1
    assert set(found.values()) == {"train", "valid", "eval"}
    coverage = json.loads((root / "metrics/coverage.json").read_text())
    assert (coverage["shared_recordings"], coverage["films_sharing"]) == (1, len(linked))
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    recordings = {row["recording"] for row in rows if row["fid"] in linked}
    assert len(recordings) == (len(linked) if shared == "samples" else 1)
    assert len({row["recording"] for row in rows if row["fid"] not in linked}) == len(fids) - len(linked)


def write_given(folder, **sides):
    for name, fids in sides.items():
        entries = {str(n): {"path": f"./data/audio/{'/'.join(fid)}/0.mp3", "FID": fid} for n, fid in enumerate(fids)}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(entries))


def test_a_given_split_is_kept(root, caplog):
    write_given(root / "mine", train=["AAC", "AAD"], valid=["AAB"], eval=["AAA", "ZZZ"])
    with caplog.at_level(logging.WARNING):
        main(root, replace(SPLIT, given="mine", films="all"))
    assert {fid: sides(root)[fid] for fid in ("AAA", "AAB", "AAC", "AAD")} == {
        "AAA": "eval", "AAB": "valid", "AAC": "train", "AAD": "train",
    }  # fmt: skip
    assert "1 films of the given split are not in the data set: ZZZ" in caplog.text
    main(root, replace(SPLIT, given="mine", films="all", others="leave_out"))
    assert sides(root).keys() == {"AAA", "AAB", "AAC", "AAD"}
    (root / "sides.json").write_text(json.dumps({"AAA": "train", "AAB": "train", "AAC": "eval", "AAD": "valid"}))
    main(root, replace(SPLIT, given="sides.json"))
    assert sides(root) == {"AAA": "train", "AAB": "train", "AAC": "eval", "AAD": "valid"}


@pytest.mark.parametrize("place", [".", "meta", "data/meta"])
def test_a_corpus_in_the_published_layout_brings_its_split(root, place):
    write_given(root / "corpus" / place, train=["AAA", "AAB"], valid=["AAC"], eval=["AAD"])
    main(root, SPLIT)
    assert sides(root) == {"AAA": "train", "AAB": "train", "AAC": "valid", "AAD": "eval"}
    write_given(root / "other", train=["AAD", "AAB"], valid=["AAC"], eval=["AAA"])
    main(root, replace(SPLIT, given="other"))
    assert sides(root)["AAA"] == "eval"


def test_a_given_split_that_divides_a_group_is_reported(root, caplog):
    write_table(root / "data/downloads.parquet", [recording(fid, sha256="same") for fid in TRACKS], DOWNLOADS)
    write_given(root / "mine", train=["AAC", "AAD"], valid=["AAB"], eval=["AAA"])
    with caplog.at_level(logging.WARNING):
        main(root, replace(SPLIT, given="mine"))
    assert "AAA (eval), AAB (valid), AAC (train), AAD (train)" in caplog.text
    assert sides(root)["AAA"] == "eval"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is missing"),
        ({"mine": "{"}, "is not JSON"),
        ({"mine": "[]"}, "found list"),
        ({"mine": '{"AAA": "test"}'}, r"allowed are train, valid, eval: 'AAA': found 'test'"),
        ({"mine": '{"AAA": "train", "AAA": "eval"}'}, "occurs twice"),
        ({"mine": "{}"}, "names no film"),
        (
            {"mine/train.json": '{"0": {"FID": "AAA"}}', "mine/valid.json": '{"0": {}}'},
            r"valid\.json: entry '0' has no FID",
        ),
        ({"mine/train.json": '{"0": {"FID": "AAA"}}'}, r"valid\.json is missing"),
        (
            {f"mine/{name}.json": '{"0": {"FID": "AAA"}, "1": {"FID": "AAB"}}' for name in ("train", "valid", "eval")},
            r"in two splits: 2, AAA is in train\.json and in eval\.json",
        ),
    ],
)
def test_an_unusable_given_split_is_an_error(root, files, message):
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    with pytest.raises(StageError, match=rf"split\.given.*{message}"):
        main(root, replace(SPLIT, given="mine"))
