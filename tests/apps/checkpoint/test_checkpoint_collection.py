"""Several checkpoints at once: which variant each is, and what happens to those that cannot be recognised or read."""

import io
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.__main__ import main
from pipeline.apps.checkpoint import files
from pipeline.apps.checkpoint.deciding import FOLDER, NAME, OPTION, TENSORS, decide, published_variants, variant_in_path
from pipeline.apps.checkpoint.files import open_source
from pipeline.core.files import sha256_of
from pipeline.params import load_params
from tests.apps.checkpoint.conftest import ROOT

pytestmark = pytest.mark.slow

VARIANTS = load_params(ROOT / "params.yaml").variants
KINDS = {  # encoders and size of the vocabulary: two more than in the configuration for the marks of tags_plot
    "Im": (("image",), 12),
    "Ta": (("text",), 12),
    "Plo": (("text",), 12),
    "ImTa": (("text", "image"), 12),
    "ImPlo": (("text", "image"), 12),
    "TaPlo": (("text",), 14),
    "All": (("text", "image"), 14),
}
ENCODERS = ("--text", "text", "--image", "image")


@pytest.fixture
def checkpoint(state_of):
    """Return a function that returns the bytes of a variant's checkpoint."""

    def saved(variant: str) -> bytes:
        file = io.BytesIO()
        torch.save({"epoch": list(KINDS).index(variant), "state_dict": state_of(*KINDS[variant])}, file)
        return file.getvalue()

    return saved


@pytest.fixture
def folder(work: Path) -> Path:
    """An empty folder for checkpoints."""
    (work / "saved").mkdir()
    return work / "saved"


def imported() -> dict[str, str]:
    """Return the variants in models/, and the digest of the checkpoint behind each."""
    configs = (json.loads(path.read_text()) for path in Path("models").glob("*/config.json"))
    return {config["variant"]: config["imported"]["sha256"] for config in configs}


def rows(out: str) -> dict[str, str]:
    """Return the lines of the printed table by file name."""
    return {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}


@pytest.mark.parametrize(
    ("path", "variant", "by"),
    [
        ("M-ImPlo.pth", "ImPlo", NAME),
        ("best_M-Im-Plo.pt", "ImPlo", NAME),
        ("m_all_epoch_12.ckpt", "All", NAME),
        ("IMTA.bin", "ImTa", NAME),
        ("im ta.bin", "ImTa", NAME),
        ("mtaplo-best.pth", "TaPlo", NAME),
        ("MPlo.pth", "Plo", NAME),
        ("ImPlo/M-Ta.pth", "Ta", NAME),
        ("runs/M-ImPlo/best.pth", "ImPlo", FOLDER),
        ("Ta/Im/best.pth", "Im", FOLDER),
        ("Im_or_Ta.pth", "", ""),
        ("data/image_small_metal_exploit.pth", "", ""),
        ("pytorch_model.bin", "", ""),
    ],
)
def test_variant_from_a_name(path, variant, by):
    assert variant_in_path(path, VARIANTS) == (variant, by)


def test_the_papers_variants_are_those_of_one_text_one_image_or_both():
    assert published_variants(VARIANTS) == list(KINDS)


def test_seven_checkpoints_of_a_hub(work, hub, checkpoint, capsys):
    named = {
        "Im": "M-Im.pth",
        "Ta": "weights/best_m-ta.pt",
        "Plo": "Plo/checkpoint.bin",
        "ImTa": "im_ta.ckpt",
        "ImPlo": "M-Im-Plo.pth",
        "TaPlo": "first.pth",
        "All": "second.pth",
    }
    content = {file: checkpoint(variant) for variant, file in named.items()}
    commit = hub.add("somebody/soundtracks", content | {"README.md": b"M-All", "config.json": b"{}"})
    assert main(["import-reference", "hf://somebody/soundtracks", *ENCODERS]) == 0
    cached = work / "cache/models--somebody--soundtracks/snapshots" / commit
    assert imported() == {variant: sha256_of(cached / file) for variant, file in named.items()}
    assert set(hub.fetched) == set(named.values())
    lines = rows(capsys.readouterr().out)
    assert f"M-Im.pth Im {NAME}" in lines["M-Im.pth"]
    assert f"second.pth All {TENSORS}" in lines["second.pth"]
    assert "models/All" in lines["second.pth"]
    assert "Without" not in lines
    assert main(["import-reference", f"hf://somebody/soundtracks@{'1' * 40}", *ENCODERS]) == 1
    assert "is not a branch, tag or commit" in capsys.readouterr().err


def test_what_a_folder_has_and_lacks(folder, checkpoint, state_of, capsys):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, ("opened",)

    (folder / "M-Im.pth").write_bytes(checkpoint("Im"))
    (folder / "M-ImTa.pth").write_bytes(checkpoint("Im"))
    (folder / "M-Plo.pth").write_bytes(checkpoint("Plo")[: 2**21])
    torch.save({"state_dict": state_of(("text",), 12), "more": Harmful()}, folder / "M-Ta.pth")
    save_file(dict(state_of(("text", "image"), 14)), folder / "weights.safetensors")
    (folder / "M-ImPlo.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden/M-TaPlo.pth").write_bytes(checkpoint("TaPlo"))
    (folder / "notes.txt").write_text("M-TaPlo")
    assert main(["import-reference", "saved", *ENCODERS]) == 0
    assert set(imported()) == {"Im", "All"}
    assert not Path("opened").exists()
    out = capsys.readouterr().out
    lines = rows(out)
    assert "has an image encoder, but variant ImTa has the inputs tags, image" in " ".join(out.split())
    for file in ("M-Plo.pth", "M-Ta.pth"):
        assert f"{file} cannot be read as tensors only" in lines[file]
    assert "git lfs pull" in " ".join(out.split())
    assert "Variants without a checkpoint: Ta, Plo, ImTa, ImPlo, TaPlo" in out
    assert "notes.txt" in out
    assert ".hidden" not in out


def test_files_whose_variant_only_the_user_knows(folder, checkpoint, capsys):
    (folder / "deep").mkdir()
    (folder / "deep/one.pth").write_bytes(checkpoint("Ta"))
    assert main(["import-reference", "saved", *ENCODERS]) == 1
    message = capsys.readouterr().err
    assert "its tensors fit Ta, Plo, TaPlo: add --file 'deep/one.pth=Ta'" in message
    assert not Path("models").exists()
    assert main(["import-reference", "saved", *ENCODERS, "--file", "one.pth=Plo"]) == 0
    assert set(imported()) == {"Plo"}
    (folder / "M-Im.pth").write_bytes(checkpoint("Im"))
    assert main(["import-reference", "saved", *ENCODERS, "--file", "deep/one.pth=All", "--out", "here"]) == 1
    assert "--file: deep/one.pth not imported" in capsys.readouterr().err
    assert [path.name for path in Path("here").iterdir()] == ["Im"], "what can be imported is"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--file", "a.pth"], "--file: found 'a.pth', expected FILE=VARIANT"),
        (["--file", "c.pth=Im"], "--file: found 'c.pth', allowed are a.pth, b.pth"),
        (["--file", "a.pth=Nope"], "variant: found 'Nope', allowed are Im, "),
        (["--file", "a.pth=Im", "--file", "b.pth=Im"], "found 'b.pth=Im', whose file or variant was already named"),
        (["--variant", "Im"], "--variant: allowed for a single file only"),
        (["--evaluate", "--out", "x"], "--out: not allowed with --evaluate"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(folder, capsys, options, message):
    for name in ("a.pth", "b.pth"):
        (folder / name).write_bytes(b"no checkpoint")
    assert main(["import-reference", "saved", *options]) == 1
    assert message in capsys.readouterr().err


def test_sources_without_a_checkpoint_are_refused(folder, hub, capsys):
    (folder / "notes.txt").write_text("none")
    assert main(["import-reference", "saved"]) == 1
    assert "ends in .pth, .pt, .ckpt, .bin, .safetensors" in capsys.readouterr().err
    assert main(["import-reference", "hf://nobody/nothing"]) == 1
    assert "hf://nobody/nothing is not a model of the Hugging Face hub" in capsys.readouterr().err
    hub.add("some/body", {"../outside.pth": b"x" * 2**20})
    assert main(["import-reference", "hf://some/body"]) == 1
    assert hub.fetched == []


class Decided:
    """Writes checkpoints of variants to a folder and decides on its files."""

    def __init__(self, folder: Path, checkpoint) -> None:
        self.folder, self.checkpoint = folder, checkpoint

    def __call__(
        self, contents: dict[str, str], named: dict[str, str] | None = None
    ) -> dict[str, tuple[str, str, str]]:
        shutil.rmtree(self.folder)
        for name, variant in contents.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(self.checkpoint(variant))
        entries = decide(open_source(str(self.folder)), named or {}, VARIANTS, "text")
        return {entry.file: (entry.variant, entry.by, entry.reason) for entry in entries}


@pytest.fixture
def decided(folder, checkpoint) -> Decided:
    return Decided(folder, checkpoint)


def test_of_several_files_of_one_variant_the_most_certain_is_taken(decided):
    found = decided({"All/best.pth": "All", "M-All.pth": "All", "x.pth": "All"})
    assert found["M-All.pth"] == ("All", NAME, "")
    assert found["All/best.pth"] == ("All", FOLDER, f"M-All.pth takes precedence for All (by {NAME})")
    assert found["x.pth"] == ("All", TENSORS, "its tensors are those of All, which has another file")
    found = decided({"M-Im.pth": "Im", "x.pth": "Im"}, {"x.pth": "Im"})
    assert found == {
        "M-Im.pth": ("Im", NAME, f"x.pth takes precedence for Im (by {OPTION})"),
        "x.pth": ("Im", OPTION, ""),
    }


def test_of_files_that_are_equally_one_variant_none_is_taken(decided):
    found = decided({"best_M-Im.pth": "Im", "last_M-Im.pth": "Im", "x.pth": "TaPlo", "y.pth": "TaPlo"})
    for file, other in {"best_M-Im.pth=Im": "last_M-Im.pth", "y.pth=TaPlo": "x.pth"}.items():
        reason = found[file.partition("=")[0]][2]
        assert other in reason and f"--file '{file}'" in reason
    assert all(reason for _, _, reason in found.values())


def test_where_every_variant_has_a_file_no_other_is_read(decided):
    decided.checkpoint = lambda _: bytes(2**20)
    found = decided({f"M-{variant}.pth": variant for variant in KINDS} | {"x.pth": "Im"})
    assert found.pop("x.pth") == ("", "", "its name has no variant, and every variant has a file")
    assert {variant: by for variant, by, _ in found.values()} == dict.fromkeys(KINDS, NAME)


def test_files_that_are_too_large_are_not_read(decided, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 2**20)
    assert decided({"M-Im.pth": "Im"})["M-Im.pth"][2].endswith("allowed are at most 0 GiB")


def test_unused_marks_in_a_vocabulary_give_a_warning(folder, checkpoint, caplog):
    (folder / "M-Ta.pth").write_bytes(checkpoint("TaPlo"))
    assert main(["import-reference", "saved", *ENCODERS]) == 0
    assert set(imported()) == {"Ta"}
    assert "M-Ta.pth: its vocabulary has <DESCR> and <PLOT>" in caplog.text
