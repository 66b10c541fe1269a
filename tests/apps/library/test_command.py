"""`python -m pipeline index` and its output."""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML

from pipeline.apps.library.duplicates import Duplicates, Group
from pipeline.apps.library.library import read_contents
from pipeline.apps.library.report import LISTED, Summary, quality_of, report, summary_of
from pipeline.apps.library.table import row_of
from pipeline.apps.published import load
from pipeline.apps.recommend.trained import Figures, Trained, trained_models
from pipeline.commands import index as command
from tests.conftest import ROOT

NONE = Duplicates("", [])


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    return parser.parse_args(["index", *arguments])


@pytest.fixture
def here(root, folder, monkeypatch) -> Path:
    """The root folder as the working directory, with parameters and the music."""
    params = YAML().load((ROOT / "params.yaml").read_text())
    params["machine"] |= {"processes": 1, "device": "cpu"}
    with (root / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    shutil.move(folder, root / "Music")
    monkeypatch.chdir(root)
    return root


def test_the_command_indexes_and_prints_a_summary(here, capsys):
    (here / "Music/bad.mp3").write_text("no music")
    given = options("Music", "--out", "my music", "--variants", "Words, Story")
    assert given.run(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        str(here / "Music"),
        "  audio files: 5 (4 ok, 1 corrupt)",
        "  since the last run: 5 new, 0 changed, 0 unchanged, 0 removed",
        "  tracks: 4, in 4 segments for M-Words, M-Story",
        "Skipped files: 1",
        "  bad.mp3: corrupt, not a decodable audio file (Invalid data found when processing input)",
        quality_of([]),
        "Search it:",
        """  python -m pipeline recommend --library 'my music' --tags "...\"""",
    ]
    given = options("Music", "--out", "my music")
    assert given.run(given) == 0
    assert "  since the last run: 0 new, 0 changed, 5 unchanged, 0 removed" in capsys.readouterr().out.splitlines()


def test_a_downloaded_model_indexes_without_trained_ones(here, capsys, monkeypatch):
    model = replace(trained_models(here)["Words"], folder=here / "theirs", option="--model hf://them/theirs")
    shutil.move(here / "models/Words", here / "theirs")
    shutil.rmtree(here / "models")
    opened = SimpleNamespace(trained={"Words": model})
    monkeypatch.setattr(load, "open_published", lambda name, device: {"hf://them/theirs": opened}[name])
    given = options("Music", "--out", "own", "--model", "hf://them/theirs")
    assert given.run(given) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        '  python -m pipeline recommend --library own --model hf://them/theirs --tags "..."'
    )
    assert read_contents(here / "own").variants == {"Words": model.digest}


def test_folder_and_out_are_asked_for(capsys):
    for wrong in ([], ["Music"], ["--out", "x"]):
        with pytest.raises(SystemExit):
            options(*wrong)


@pytest.fixture
def summary() -> Summary:
    rows = [row_of("a.mp3", status="ok", segments=2)]
    model = Trained("Any", Path("m"), ("plot", "image"), False, None, {}, (), "0")
    return summary_of(Path("/music"), rows, {}, {"Any": 2, "Other": 3}, [model, replace(model, name="Other")], NONE)


def test_how_good_the_best_model_is_for_other_music(summary):
    figures = [Figures(0.4, 0.694, 0.251, 36, 166), Figures(0.3, 0.9, 0.251, 36, 166), Figures(0.9), None]
    models = [Trained(f"m{n}", Path("m"), ("tags",), False, of, {}, (), "0") for n, of in enumerate(figures)]
    told = quality_of(models)
    for said in ("M-m0", "36 test films", "of 166", "69%", "by chance: 25%", "other music may differ"):
        assert said in told
    assert "M-m1" in quality_of(models[1:2]) and "best" not in quality_of(models[1:2])
    assert quality_of(models[2:]) == summary.quality
    assert "not been measured" in summary.quality
    assert summary.quality in report(summary, Path("out"))


def test_a_long_list_is_cut(summary):
    rows = [row_of(f"{number:03}.mp3", status="corrupt", reason="why") for number in range(LISTED + 5)]
    lines = report(replace(summary, rows=summary.rows + rows), Path("out"))
    assert sum("corrupt, why" in line for line in lines) == LISTED
    assert "  ... and 5 more; see out/files.parquet" in lines
    assert "  tracks: 1, in 2 segments for M-Any; 3 segments for M-Other" in lines
    assert lines[-1].endswith("--library out --plot FILE --image FILE")


def test_duplicates_are_one_line(summary):
    groups = [Group("content", ["a", "b", "c"]), Group("recording", ["d", "e"])]
    lines = report(replace(summary, duplicates=Duplicates("", groups)), Path("out"))
    (line,) = [line for line in lines if "duplicates" in line]
    assert line.startswith("  duplicates: 3 files")
    assert "out/duplicates.json" in line


def test_names_do_not_act_on_the_terminal(summary):
    row = row_of("\x1b[2J\u202e[bold]a\nb.mp3", status="corrupt", reason="[red]\x07")
    lines = report(replace(summary, folder=Path("/\x1b]0;x\x07"), rows=[row]), Path("out"))
    assert all(line.isprintable() for line in lines)
    assert "  [2J[bold]a b.mp3: corrupt, [red]" in lines
