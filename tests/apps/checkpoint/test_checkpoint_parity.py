"""Results of a second implementation for checkpoints of fixed numbers: the stored values do not change."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pipeline.apps.checkpoint.published import AUDIO
from pipeline.encoders.log_mel import LogMel
from pipeline.model.store import load_model
from pipeline.params import load_params
from pipeline.store.films import INPUT_TABLES
from tests.apps.checkpoint.conftest import ROOT
from tests.apps.checkpoint.reference import GOLDEN, compute_golden, random_inputs

pytestmark = pytest.mark.slow

STORED = json.loads(GOLDEN.read_text())
QUERIES = {tuple(query["kinds"]): query for query in STORED["queries"]}
VARIANTS = {name: row.inputs for name, row in load_params(ROOT / "params.yaml").variants.items() if name != "Any"}
KINDS = {  # of the inputs of each variant, in the order of a query's tokens
    variant: tuple(sorted({INPUT_TABLES[name] for name in inputs}, reverse=True))
    for variant, inputs in VARIANTS.items()
}
SINGLE = [variant for variant, kinds in KINDS.items() if len(kinds) == 1]
CLOSE = {"atol": 1e-4, "rtol": 0.0}


def frames_of(samples: torch.Tensor) -> torch.Tensor:
    """Return the project's own log-mel frames [n, l, m]."""
    log_mel = LogMel(AUDIO)
    return torch.stack([torch.from_numpy(log_mel(row)) for row in samples.numpy()])


def embed(folder: Path) -> dict[str, Any]:
    """Return the outputs of the model in `folder` for `random_inputs`, before and after the last norm."""
    (model, config), inputs, raw = load_model(folder), random_inputs(), {}
    model.query_tower.head.register_forward_hook(lambda _, __, output: raw.update(query=output))
    model.audio_tower.head.register_forward_hook(lambda _, __, output: raw.update(audio=output))
    tokens = {"input_ids": inputs["ids"], "attention_mask": inputs["mask"]}
    batch = {name: tokens if INPUT_TABLES[name] == "text" else inputs["pixels"] for name in config["inputs"]}
    with torch.inference_mode():
        unit_query = model.encode_query(batch)
        unit_audio = model.encode_audio({"audio": frames_of(inputs["samples"])})
    return raw | {"unit_query": unit_query, "unit_audio": unit_audio, "scale": model.scale().item()}


def assert_close(found: dict[str, Any], role: str, stored: list[list[float]]) -> None:
    numbers = torch.tensor(stored)
    torch.testing.assert_close(found[role], numbers, **CLOSE)
    torch.testing.assert_close(found[f"unit_{role}"], F.normalize(numbers, dim=-1), **CLOSE)


def test_second_implementation_gives_its_stored_numbers():
    computed = compute_golden()
    for query, kinds in zip(computed.pop("queries"), QUERIES, strict=True):
        stored = QUERIES[kinds]
        assert query.keys() == stored.keys()
        for name in stored.keys() - {"kinds"}:
            torch.testing.assert_close(torch.tensor(query[name]), torch.tensor(stored[name]), **CLOSE)
    for name, numbers in computed.items():
        torch.testing.assert_close(torch.tensor(numbers), torch.tensor(STORED[name]), **CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_embeddings_and_loss(import_state, state_of, work, variant):
    import_state(state_of(KINDS[variant]), variant)
    found, stored = embed(work / "models" / variant), QUERIES[KINDS[variant]]
    assert_close(found, "query", stored["query"])
    assert_close(found, "audio", STORED["audio"])
    logits, numbers = found["scale"] * found["unit_query"] @ found["unit_audio"].T, torch.arange(3)
    loss = (F.cross_entropy(logits, numbers) + F.cross_entropy(logits.T, numbers)) / 2
    assert loss.item() == pytest.approx(stored["loss"], abs=1e-4)


@pytest.mark.parametrize("variant", SINGLE)
def test_query_of_one_input_without_the_fusion(import_state, state_of, work, variant):
    import_state(state_of(KINDS[variant]), variant, "--reference-inference")
    assert_close(embed(work / "models" / variant), "query", QUERIES[KINDS[variant]]["unfused"])


def test_spectrogram():
    frames = frames_of(random_inputs()["samples"])
    stored = torch.tensor(STORED["log_mel"])  # [n, m, l]: some bands, some frames
    torch.testing.assert_close(frames[:, 50:53, 10::40].transpose(1, 2), stored, atol=1e-3, rtol=0)
    assert frames.mean().item() == pytest.approx(STORED["mean"], abs=1e-4)


def test_command_line_writes_the_same_folder(import_state, state_of, work):
    variant = next(variant for variant in SINGLE if KINDS[variant] == ("text",))
    import_state(state_of(("text",)), variant)
    own = ["saved.pth", "--variant", variant, "--text", "text", "--image", "image", "--out", "typed"]
    command = [sys.executable, "-m", "pipeline", "import-reference", *own]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True, text=True)
    assert "no tokenizer" in done.stderr
    files = sorted(path.name for path in (work / "typed").iterdir())
    assert files == ["config.json", "history.csv", "model.safetensors"]
    for name in files:
        assert (work / "typed" / name).read_bytes() == (work / "models" / variant / name).read_bytes(), name
