"""A published checkpoint to a model's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.apps.checkpoint.constants import MEANING, TOLERANCE, constants
from pipeline.apps.checkpoint.encoders import read_image, read_text
from pipeline.apps.checkpoint.names import Names, reference_shape
from pipeline.apps.checkpoint.published import ARCHITECTURE, AUDIO, KINDS, WINDOW_STEPS
from pipeline.apps.checkpoint.read import Checkpoint, read_checkpoint
from pipeline.core.errors import ModelError
from pipeline.core.files import sha256_of
from pipeline.encoders.log_mel import LogMel
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.store import build_model, model_config, save_model
from pipeline.store.films import INPUT_TABLES
from pipeline.train.training import write_history

WORDS = "text_encoder.embeddings.word_embeddings.weight"

Config = dict[str, Any]


def import_reference(
    path: Path, folder: Path, variant: str, inputs: Sequence[str], text: str, image: str, fuse_single: bool
) -> int:
    """Write the checkpoint in `path` to `folder` as a model of `variant`; return how many tensors it has.

    `text` and `image` name its encoders' configurations. Raises `ModelError` for a checkpoint of another variant, and
    one for all that does not fit the published architecture.
    """
    inputs = sorted(inputs, key=lambda name: list(KINDS).index(INPUT_TABLES[name]))
    names = Names(inputs)
    checkpoint = read_checkpoint(path)
    _require_encoders(path, checkpoint, variant, inputs)
    config = _config(checkpoint, variant, inputs, text, image, fuse_single)
    model = build_model(config)
    model.load_state_dict(_fitting(path, checkpoint.state, model, names))
    model.logit_scale = nn.Parameter(checkpoint.state["logit_scale"].reshape(()))  # float64 is kept in the file
    config["imported"] = {
        "checkpoint": path.name,
        "sha256": sha256_of(path),
        "epoch": checkpoint.epoch,
        "best_loss": checkpoint.best_loss,
    }
    save_model(folder, model, config)
    write_history(folder / "history.csv", [])  # of training here
    return len(checkpoint.state)


def _require_encoders(path: Path, checkpoint: Checkpoint, variant: str, inputs: Sequence[str]) -> None:
    """Raise `ModelError` unless the checkpoint has encoders of just the kinds that the variant's inputs need."""
    found = [kind for kind in KINDS if any(name.startswith(f"{kind}_encoder.") for name in checkpoint.state)]
    if found != [INPUT_TABLES[name] for name in inputs]:
        has = " and ".join(f"{'an' if kind == 'image' else 'a'} {kind} encoder" for kind in found) or "no encoder"
        raise ModelError(
            f"{path} has {has}, variant {variant} has the inputs {', '.join(inputs)}: name the variant that it was "
            "trained for with --variant"
        )


def _config(
    checkpoint: Checkpoint, variant: str, inputs: Sequence[str], text: str, image: str, fuse_single: bool
) -> Config:
    encoders = {}
    for kind in (INPUT_TABLES[name] for name in inputs):
        encoders[kind] = read_text(text, _rows(checkpoint)) if kind == "text" else read_image(image)
    features = {"audio": LogMel(AUDIO).spec | {"width": AUDIO.n_mels}}
    return model_config(variant, inputs, ARCHITECTURE, features, WINDOW_STEPS, encoders, fuse_single)


def _rows(checkpoint: Checkpoint) -> int:
    """Return how many words the text encoder has vectors of, 0 where they are missing."""
    shape = checkpoint.state[WORDS].shape if WORDS in checkpoint.state else ()
    return shape[0] if shape else 0


def _fitting(path: Path, state: dict[str, Tensor], model: RetrievalModel, names: Names) -> dict[str, Tensor]:
    """Return a checkpoint's tensors by the model's names, in its shapes; raise `ModelError` listing what is wrong."""
    ours = {names.reference(name): (name, value) for name, value in model.state_dict().items()}
    expected = {name: (reference_shape(own, value.shape), value) for name, (own, value) in ours.items()}
    fixed = constants()
    expected |= {name: (tuple(value.shape), value) for name, value in fixed.items()}
    wrong = [f"missing: {name} {list(shape)}" for name, (shape, _) in expected.items() if name not in state]
    wrong += [f"unexpected: {name} {list(value.shape)}" for name, value in state.items() if name not in expected]
    for name, (shape, value) in expected.items():
        if name not in state:
            continue
        found = state[name]
        if found.shape != shape or found.is_floating_point() != value.is_floating_point():
            wrong.append(f"misshapen: {name}: found {_kind(found.shape, found)}, expected {_kind(shape, value)}")
        elif name in fixed and not torch.allclose(found.to(value.dtype), value, rtol=0.0, atol=TOLERANCE):
            wrong.append(f"other values: {name}: it is not {MEANING[name]}")
    if wrong:
        raise ModelError(
            "\n  ".join([f"{path} does not have the published architecture:", *wrong])
            + "\nIf these are its text or image encoder's, name their own configuration with --text and --image; "
            "otherwise it was trained with other code, and cannot be imported."
        )
    return {own: state[name].reshape(value.shape) for name, (own, value) in ours.items()}


def _kind(shape: Sequence[int], value: Tensor) -> str:
    return f"{list(shape)} {str(value.dtype).removeprefix('torch.')}"
