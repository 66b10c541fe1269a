"""`preset`: prints each change, and names the available presets."""

import shutil
from pathlib import Path

import pytest

from pipeline.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: parameters and presets."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_change_is_printed(capsys):
    assert main(["preset", "paper"]) == 0
    *changes, summary, way_back = capsys.readouterr().out.splitlines()
    assert "model.audio.channels: 8 → 128" in changes
    assert summary.startswith(f"{len(changes)} parameters changed")
    assert "`dvc repro`" in summary and "preset --undo" in way_back
    assert main(["preset", "--undo"]) == 0
    assert "model.audio.channels: 128 → 8" in capsys.readouterr().out.splitlines()
    assert main(["preset", "--undo"]) == 1
    assert "found no preset to undo" in capsys.readouterr().err


def test_nothing_is_printed_as_yaml_does(capsys):
    main(["preset", "reference"])
    assert "corpus.serve: site → null" in capsys.readouterr().out.splitlines()


def test_unknown_preset_names_the_known_ones(root, capsys):
    before = (root / "params.yaml").read_bytes()
    assert main(["preset", "nope"]) == 1
    assert "found 'nope', allowed are log-mel, paper" in capsys.readouterr().err
    assert (root / "params.yaml").read_bytes() == before
