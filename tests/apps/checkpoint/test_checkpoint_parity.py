"""What the reference's own code computes from checkpoints of fixed numbers; they lie beside the project, not in it."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pipeline.apps.checkpoint.exporting import export_reference
from pipeline.apps.checkpoint.importing import import_reference
from pipeline.apps.checkpoint.published import AUDIO
from pipeline.encoders.log_mel import LogMel
from pipeline.model.store import load_model
from pipeline.params import load_params
from pipeline.store.films import INPUT_TABLES
from tests.apps.checkpoint.conftest import ROOT

PARITY = Path(__file__).parents[4] / "shared/reference/parity"
EXPECTED = {path.stem.partition("_")[2]: json.loads(path.read_text()) for path in PARITY.glob("expected_*.json")}
VARIANTS = load_params(ROOT / "params.yaml").variants
CLOSE = {"atol": 1e-4, "rtol": 0.0}

pytestmark = pytest.mark.skipif(not EXPECTED, reason="shared/reference/parity is not here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the checkpoints, their inputs, and the parameters of the repository."""
    made = tmp_path_factory.mktemp("parity")
    make = runpy.run_path(str(PARITY / "make_checkpoint.py"))["main"]
    for variant in EXPECTED:
        make(variant, made)
    (made / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def inputs(folder: Path) -> dict[str, torch.Tensor]:
    """Inputs of the reference, with `frames` [n, l, m] instead of audio."""
    found = torch.load(folder / "inputs.pt", weights_only=True)
    log_mel = LogMel(AUDIO)
    return found | {"frames": torch.stack([torch.from_numpy(log_mel(samples)) for samples in found["audio"].numpy()])}


@pytest.fixture(scope="module")
def imported(folder: Path) -> Callable[[str], Path]:
    """Return a function that gives the model's folder of a variant, imported once."""

    def run(variant: str) -> Path:
        import_variant(folder, variant, folder / variant, fuse_single=True)
        return folder / variant

    return cache(run)


def import_variant(folder: Path, variant: str, out: Path, fuse_single: bool) -> None:
    encoders = (str(folder / kind) for kind in ("text", "image"))
    import_reference(folder / f"{variant}.pth", out, variant, VARIANTS[variant], *encoders, fuse_single)


def embed(folder: Path, inputs: dict[str, torch.Tensor], audio: bool = True) -> dict[str, Any]:
    """Return what the model of `folder` computes, before and after the last norm."""
    model, config = load_model(folder)
    raw = {}
    model.query_head.register_forward_hook(lambda _, __, output: raw.update(query=output))
    model.audio_head.register_forward_hook(lambda _, __, output: raw.update(audio=output))
    tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    batch = {n: tokens if INPUT_TABLES[n] == "text" else inputs["pixel_values"] for n in config["inputs"]}
    with torch.inference_mode():
        unit_query = model.encode_query(batch)
        unit_audio = model.encode_audio({"audio": inputs["frames"]}) if audio else None
    return raw | {"unit_query": unit_query, "unit_audio": unit_audio, "scale": model.scale().item()}


def assert_close(found: dict[str, Any], role: str, expected: list[list[float]]) -> None:
    numbers = torch.tensor(expected)
    torch.testing.assert_close(found[role], numbers, **CLOSE)
    torch.testing.assert_close(found[f"unit_{role}"], F.normalize(numbers, dim=-1), **CLOSE)


@pytest.mark.parametrize("variant", EXPECTED)
def test_embeddings_and_loss_are_the_references(imported, inputs, variant):
    found, expected = embed(imported(variant), inputs), EXPECTED[variant]
    assert_close(found, "query", expected["theta_query"])
    assert_close(found, "audio", expected["theta_a"])
    logits, numbers = found["scale"] * found["unit_query"] @ found["unit_audio"].T, torch.arange(4)
    loss = (F.cross_entropy(logits, numbers) + F.cross_entropy(logits.T, numbers)) / 2
    assert loss.item() == pytest.approx(expected["loss"], abs=1e-4)


@pytest.mark.parametrize("variant", [variant for variant in EXPECTED if len(VARIANTS[variant]) == 1])
def test_references_inference_gives_its_other_numbers(folder, inputs, variant):
    import_variant(folder, variant, folder / "inference", fuse_single=False)
    found = embed(folder / "inference", inputs, audio=False)
    assert_close(found, "query", EXPECTED[variant]["theta_get"])


def test_command_line_writes_the_same_folder(folder, imported):
    variant = next(variant for variant in EXPECTED if len(VARIANTS[variant]) == 1)
    own = [f"{variant}.pth", "--variant", variant, "--text", str(folder / "text")]
    command = [sys.executable, "-m", "pipeline", "import-reference", *own]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    assert f"dvc commit -f train@{variant}" in done.stdout
    assert "has no tokenizer" in done.stderr
    for path in imported(variant).iterdir():
        assert (folder / "models" / variant / path.name).read_bytes() == path.read_bytes(), path.name


def test_spectrogram_is_the_references(inputs):
    frames, expected = inputs["frames"].transpose(1, 2), next(iter(EXPECTED.values()))["logmel"]
    assert list(frames.shape) == expected["shape"]
    assert frames[0, 10, 100:108].tolist() == pytest.approx(expected["row0_mel10_frames100_108"], abs=1e-4)
    for name in ("mean", "std", "min", "max"):
        assert getattr(frames, name)().item() == pytest.approx(expected[name], abs=1e-4), name


@pytest.mark.parametrize("variant", EXPECTED)
def test_checkpoint_comes_back_bit_by_bit(folder, imported, variant):
    export_reference(imported(variant), folder / "back.pth")
    before, after = (torch.load(folder / name, weights_only=True) for name in (f"{variant}.pth", "back.pth"))
    ours, theirs = after.pop("state_dict"), before.pop("state_dict")
    assert after == before
    assert set(ours) == set(theirs)
    assert [name for name in ours if ours[name].dtype != theirs[name].dtype or not ours[name].equal(theirs[name])] == []
