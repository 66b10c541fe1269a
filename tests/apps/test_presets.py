"""Presets are merged into params.yaml: comments stay, changes can be undone, an invalid one changes nothing."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.apps.checkpoint.published import ARCHITECTURE, AUDIO
from pipeline.apps.presets import apply_preset, preset_names, undo_preset
from pipeline.core.errors import ParamsError
from pipeline.corpus import load_films
from pipeline.params import load_params

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    return tmp_path


def test_paper_gives_the_papers_widths_and_keeps_comments(root):
    before = (root / "params.yaml").read_text()
    changes = apply_preset(root, "paper")
    params = load_params(root / "params.yaml")
    assert (params.model.audio.channels, params.model.audio.width, params.model.audio.layers) == (128, 256, 4)
    assert (params.model.query.heads, params.model.query.head_width, params.model.query.feedforward) == (3, 100, 64)
    assert (params.features.audio.n_fft, params.features.audio.hop_length, params.features.audio.n_mels) == (
        1024,
        220,
        128,
    )
    assert params.model == ARCHITECTURE  # which published checkpoints must match
    assert dataclasses.replace(params.features.audio, spectrum="real") == AUDIO
    assert (params.features.text.pooling, params.features.image.pooling, params.train.encoders) == (
        "cls",
        "cls",
        "finetune",
    )
    assert params.split == load_params(ROOT / "params.yaml").split
    after = (root / "params.yaml").read_text()
    assert [line.partition("#")[2] for line in after.splitlines()] == [
        line.partition("#")[2] for line in before.splitlines()
    ]
    assert ("model.audio.channels", 8, 128) in changes


def test_reference_is_a_list_on_the_real_web_and_sample_leads_back(root):
    before = (root / "params.yaml").read_text()
    apply_preset(root, "reference")
    assert "serve:  " in (root / "params.yaml").read_text()  # null as written by DVC
    params = load_params(root / "params.yaml")
    assert (params.corpus.folder, params.corpus.serve) == ("data/reference", None)
    films = load_films(ROOT / params.corpus.folder, params.corpus.search)
    assert len(films) >= 150
    assert not any(url.startswith("{origin}") for film in films for url in (film.wikipedia, *film.soundtrack))
    changes = apply_preset(root, "sample")
    assert (root / "params.yaml").read_text().split() == before.split()  # the project's default
    assert ("corpus.folder", "data/reference", "data/sample") in changes


def test_merging_a_preset_twice_changes_nothing_more(root):
    apply_preset(root, "paper")
    once = (root / "params.yaml").read_bytes()
    assert apply_preset(root, "paper") == []
    assert (root / "params.yaml").read_bytes() == once


@pytest.mark.parametrize("text", ["train: {lerning_rate: 0.1}", "train: {batch_size: many}", "split: {train: 0.9}"])
def test_invalid_preset_leaves_params_as_they_were(root, text):
    before = (root / "params.yaml").read_bytes()
    (root / "presets/bad.yaml").write_text(text)
    with pytest.raises(ParamsError):
        apply_preset(root, "bad")
    assert (root / "params.yaml").read_bytes() == before
    assert [path.name for path in root.glob(".part-*")] == []


@pytest.mark.parametrize("name", preset_names(ROOT))
def test_preset_writes_as_dvc_does(root, name):
    changes = apply_preset(root, name)
    once = (root / "params.yaml").read_bytes()
    apply_overrides(root / "params.yaml", [])
    assert (root / "params.yaml").read_bytes() == once
    before = (ROOT / "params.yaml").read_bytes()
    lines = zip(before.splitlines(), once.splitlines(), strict=True)
    assert sum(old != new for old, new in lines) == len(changes)


@pytest.mark.parametrize("name", sorted({*preset_names(ROOT)} - {"sample"}))
def test_undo_restores_the_file(root, name):
    before = (root / "params.yaml").read_bytes()
    changes = apply_preset(root, name)
    assert sorted(undo_preset(root)) == sorted((key, new, old) for key, old, new in changes)
    assert (root / "params.yaml").read_bytes() == before
    with pytest.raises(ParamsError, match="no preset to undo"):
        undo_preset(root)


def test_undo_keeps_other_changes_and_refuses_to_lose_any(root):
    (root / "presets/row.yaml").write_text("variants: {Three: [tags, plot, image]}\ntrain: {epochs: 7}\n")
    assert apply_preset(root, "row") == [
        ("variants.Three", None, ["tags", "plot", "image"]),
        ("train.epochs", 60, 7),
    ]
    assert "Three" in load_params(root / "params.yaml").variants
    apply_overrides(root / "params.yaml", ["train.seed=3", "train.epochs=8"])
    changed = (root / "params.yaml").read_bytes()
    with pytest.raises(ParamsError, match=r"train\.epochs .* found 8, expected 7"):
        undo_preset(root)
    assert (root / "params.yaml").read_bytes() == changed
    apply_overrides(root / "params.yaml", ["train.epochs=7"])
    undo_preset(root)
    params, before = load_params(root / "params.yaml"), load_params(ROOT / "params.yaml")
    assert params == dataclasses.replace(before, train=dataclasses.replace(before.train, seed=3))


def test_undo_reverts_the_last_preset_that_changed_something(root):
    apply_preset(root, "reference")
    once = (root / "params.yaml").read_bytes()
    apply_preset(root, "log-mel")
    apply_preset(root, "log-mel")
    undo_preset(root)
    assert (root / "params.yaml").read_bytes() == once
