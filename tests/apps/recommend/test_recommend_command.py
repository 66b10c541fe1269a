"""The command: its output on the terminal, in files, and on errors."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.core.tables import DATASET, read_table

pytestmark = pytest.mark.slow

OURS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def root(asked_root, monkeypatch) -> Path:
    shutil.copy(OURS, asked_root)
    monkeypatch.chdir(asked_root)
    monkeypatch.setenv("COLUMNS", "120")
    (asked_root / "synopsis.txt").write_text("a dog runs .\n\nwar begins .\n", encoding="utf-8")
    Image.new("RGB", (8, 8)).save(asked_root / "poster.png")
    return asked_root


def test_table_says_which_model_answered_and_lists_the_tracks(root, capsys):
    assert (
        main(
            [
                "recommend",
                "--plot",
                "synopsis.txt",
                "--tags",
                "War, dog",
                "-k",
                "3",
                "--image",
                "poster.png",
                "--variant",
                "Pair",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "M-Pair reads tags and plot: as requested. Recall at 10 on the test set: 0.250. Not used: image." in (
        " ".join(out.split())
    )
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit() and "data/audio" in line]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert all((root / row[-1]).parent.parent.parent.parent == root / "data/audio" for row in rows)
    assert max(map(len, out.splitlines())) <= 100


def test_why_tells_what_is_without_each_part(root, capsys):
    assert main(["recommend", "--plot", "synopsis.txt", "--tags", "war", "-k", "2", "--variant", "Pair", "--why"]) == 0
    out = capsys.readouterr().out
    assert "M-Pair" in out
    assert all(f"ithout {part} place" in " ".join(out.split()) for part in ("tags", "plot"))


def test_json_csv_and_playlist_tell_of_the_same_tracks(root, capsys):
    query = ["recommend", "--tags", "war dog", "-k", "4", "--per-film", "1"]
    assert main([*query, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["variant"], answer["library"], len(answer["tracks"])) == ("Words", "films", 4)
    assert len({track["fid"] for track in answer["tracks"]}) == 4
    assert main([*query, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["path"] for row in rows] == [track["path"] for track in answer["tracks"]]
    assert main([*query, "--m3u", "list.m3u8"]) == 0
    lines = (root / "list.m3u8").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [str(root / row["path"]) for row in rows]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["data/audio/A/A/C/0.mp3", "AAC/0", "absolute"])
def test_more_like_a_track_by_its_path_or_film_and_number(root, capsys, name):
    name = str(root / "data/audio/A/A/C/0.mp3") if name == "absolute" else name
    assert main(["recommend", "--like", name, "-k", "50", "--variant", "Story", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    paths = [track["path"] for track in answer["tracks"]]
    assert "data/audio/A/A/C/0.mp3" not in paths
    assert len(paths) == 15
    assert answer["chosen"] == "as requested"


def test_without_a_query_the_best_model_finds_similar_tracks(root, capsys):
    assert main(["recommend", "--like", "AAC/0", "-k", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["variant"], answer["chosen"]) == (
        "Whole",
        "of the trained models, it ranks best on the test films",
    )


def test_films_are_excluded_by_id_and_title(root, capsys):
    assert (
        main(["recommend", "--tags", "war", "-k", "50", "--json", "--exclude-film", "AAA", "--exclude-film", "film 1"])
        == 0
    )
    found = {track["fid"] for track in json.loads(capsys.readouterr().out)["tracks"]}
    assert found == {row["fid"] for row in read_table(root / "data/dataset.parquet", DATASET, "")} - {"AAA", "AAB"}


def test_filters_weights_and_less_reach_the_engine(root, capsys):
    query = ["recommend", "--tags", "war dog", "--plot", "synopsis.txt", "--variant", "Pair", "-k", "50", "--json"]

    def paths(*options: str) -> list[str]:
        assert main([*query, *options]) == 0
        return [track["path"] for track in json.loads(capsys.readouterr().out)["tracks"]]

    everything = paths()
    assert paths("--weight", "tags=0", "--weight", "plot=2") == paths("--weight", "tags=0") != everything
    assert {*everything} - {*paths("--less", "AAC/0")} == {"data/audio/A/A/C/0.mp3"}
    assert main([*query, "--year", "1800-1850", "--instrumental"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["tracks"], answer["filtered"]["tracks"], answer["filtered"]["alone"].keys()) == (
        [],
        0,
        {"year", "vocals"},
    )
    for wrong in (["--weight", "tags"], ["--vocal", "--instrumental"]):
        with pytest.raises(SystemExit):
            main([*query, *wrong])


def test_plot_is_read_from_a_pipe(root, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("a dog runs .".encode("utf-8-sig"))))
    assert main(["recommend", "--plot", "-", "-k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variant"] == "Story"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the query is empty: give a plot, tags, an image"),
        (["--plot", "no.txt"], "--plot: no.txt cannot be read (No such file or directory)"),
        (["--plot", "binary.txt"], "--plot: binary.txt is not a UTF-8 text file"),
        (["--image", "no.jpg"], "--image: no.jpg cannot be read (No such file or directory)"),
        (["--image", "binary.txt"], "--image: binary.txt cannot be read (cannot be decoded"),
        (["--tags", "x", "--variant", "Nope"], "variant: found 'Nope', allowed are the trained"),
        (["--tags", "x", "-k", "0"], "k: found 0"),
        (["--tags", "x", "--less", "AAA/99"], "--less: AAA/99 is not a track of the library"),
        (["--tags", "x", "--weight", "tags=3"], "weights: found tags=3"),
        (["--tags", "x", "--music", "strings"], "music: found 'strings'"),
        (["--like", "AAA/99"], "--like: AAA/99 is neither a track of the library"),
        (["--tags", "x", "--exclude-film", "Nope"], "exclude: the library has no film or album 'Nope'"),
        (["--tags", "x", "--library", "nowhere"], "--library: nowhere is neither a folder of music nor"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root, capsys, arguments, message):
    (root / "binary.txt").write_bytes(b"\xff\xd8\xff")
    assert main(["recommend", *arguments]) == 1
    assert message in capsys.readouterr().err
