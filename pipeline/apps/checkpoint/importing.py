"""Import of a published checkpoint as a model's folder; the file is read as tensors only, never as code."""

import logging
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy._core.multiarray import scalar
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.apps.checkpoint.encoders import read_image, read_text, vocabulary
from pipeline.apps.checkpoint.published import ARCHITECTURE, AUDIO, KINDS, WINDOW_STEPS
from pipeline.apps.checkpoint.tensors import (
    MEANING,
    TOLERANCE,
    Names,
    constants,
    in_order,
    of_version_4,
    reference_shape,
)
from pipeline.core.errors import ModelError
from pipeline.core.files import sha256_of
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.tuned import MARKS
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.store import build_model, model_config, save_model
from pipeline.store.films import INPUT_TABLES
from pipeline.train.training import write_history

WORDS = "text_encoder.embeddings.word_embeddings.weight"
PARALLEL = "module."  # prefix of every name under DataParallel
UNREAD = ("text_encoder.embeddings.position_ids",)  # a constant in checkpoints of old versions of transformers

# NumPy scalars as pickled by versions 1 and 2; a mean loss is often one.
NUMBERS: list[Any] = [
    *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(numpy.dtype, *(type(numpy.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "?"))),
]

log = logging.getLogger(__name__)

Config = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint."""

    state: dict[str, Tensor]  # with the reference's names
    epoch: int | None
    best_loss: float | None


def import_reference(
    path: Path, folder: Path, variant: str, inputs: Sequence[str], text: str, image: str, fuse_single: bool
) -> int:
    """Write the checkpoint in `path` to `folder` as a model of `variant`; return its number of tensors.

    `text` and `image` name its encoders' configurations. Raises `ModelError` if the checkpoint is of another variant,
    or with all mismatches if it does not have the published architecture.
    """
    inputs = in_order(inputs)
    names = Names(inputs)
    checkpoint = read_checkpoint(path)
    _require_encoders(path, checkpoint, variant, inputs)
    _warn_of_marks(path, checkpoint, variant, inputs, text)
    config = _config(checkpoint, variant, inputs, text, image, fuse_single)
    model = build_model(config)
    model.load_state_dict(_fitting(path, checkpoint.state, model, names))
    model.logit_scale = nn.Parameter(checkpoint.state["logit_scale"].reshape(()))  # keeps float64
    model.clamp_scale()  # the reference does so in every forward pass
    config["imported"] = {
        "checkpoint": path.name,
        "sha256": sha256_of(path),
        "epoch": checkpoint.epoch,
        "best_loss": checkpoint.best_loss,
    }
    save_model(folder, model, config)
    write_history(folder / "history.csv", [])
    return len(checkpoint.state)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in `path`: a dict with a `state_dict`, or a bare state dict.

    Raises `ModelError` if the file is missing, damaged, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing or not a file: name a .pth file of the reference")
    try:
        if path.suffix.lower() == ".safetensors":
            found: Any = load_file(path)
        else:
            mapped = zipfile.is_zipfile(path)  # leaves the optimizer's state, twice the size, on disk
            with torch.serialization.safe_globals(NUMBERS):
                found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises various types for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{path} cannot be read as tensors only: {lines[0] if lines else type(error).__name__}\n"
            "Other pickled objects can run code and are refused. Download the file again if it may be damaged, or ask "
            "its author for the state_dict only."
        ) from None
    whole = found if isinstance(found, Mapping) else {}
    state = whole.get("state_dict", whole)
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not named or not state or not all(map(_is_plain, state.values())):
        raise ModelError(f"{path} holds no state_dict (tensors by name): it is not a checkpoint of the reference")
    if all(name.startswith(PARALLEL) for name in state):
        state = {name.removeprefix(PARALLEL): value for name, value in state.items()}
    renamed = {}
    for name, value in state.items():
        known = of_version_4(name)
        renamed[name if known in state else known] = value
    kept = {name: value for name, value in renamed.items() if name not in UNREAD}
    epoch, best_loss = _number(whole.get("epoch")), _number(whole.get("best_loss"))
    return Checkpoint(kept, None if epoch is None else int(epoch), best_loss)


def kinds_of(checkpoint: Checkpoint) -> list[str]:
    """Return the kinds of encoders in a checkpoint, in the order of `KINDS`."""
    return [kind for kind in KINDS if any(name.startswith(f"{kind}_encoder.") for name in checkpoint.state)]


def words_of(checkpoint: Checkpoint) -> int:
    """Return the number of words in the text encoder's vocabulary, 0 if there is none."""
    shape = checkpoint.state[WORDS].shape if WORDS in checkpoint.state else ()
    return shape[0] if shape else 0


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _number(value: Any) -> float | None:
    """Return `value`, a number, NumPy scalar or one-element tensor, as a float; None if it is anything else."""
    if isinstance(value, numpy.generic) or (isinstance(value, Tensor) and value.numel() == 1):
        value = value.item()
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _require_encoders(path: Path, checkpoint: Checkpoint, variant: str, inputs: Sequence[str]) -> None:
    """Raise `ModelError` unless the checkpoint has exactly the kinds of encoders of the variant's inputs."""
    found = kinds_of(checkpoint)
    if found != [INPUT_TABLES[name] for name in inputs]:
        has = " and ".join(f"{'an' if kind == 'image' else 'a'} {kind} encoder" for kind in found) or "no encoder"
        raise ModelError(
            f"{path} has {has}, but variant {variant} has the inputs {', '.join(inputs)}: name the checkpoint's "
            "variant with --file"
        )


def _warn_of_marks(path: Path, checkpoint: Checkpoint, variant: str, inputs: Sequence[str], text: str) -> None:
    """Warn if the text encoder's vocabulary has the marks of `tags_plot`, but the variant has no such input."""
    reads_text = "text" in kinds_of(checkpoint) and "tags_plot" not in inputs
    if reads_text and words_of(checkpoint) == vocabulary(text) + len(MARKS):
        log.warning(
            "%s: its vocabulary has %s, which variant %s (%s) does not use: if this variant is wrong, use --file",
            *(path.name, " and ".join(MARKS), variant, ", ".join(inputs)),
        )


def _config(
    checkpoint: Checkpoint, variant: str, inputs: Sequence[str], text: str, image: str, fuse_single: bool
) -> Config:
    encoders = {}
    for kind in (INPUT_TABLES[name] for name in inputs):
        encoders[kind] = read_text(text, words_of(checkpoint)) if kind == "text" else read_image(image)
    features = {"audio": LogMel(AUDIO).spec | {"width": AUDIO.n_mels}}
    return model_config(variant, inputs, ARCHITECTURE, features, WINDOW_STEPS, encoders, fuse_single)


def _fitting(path: Path, state: dict[str, Tensor], model: RetrievalModel, names: Names) -> dict[str, Tensor]:
    """Return a checkpoint's tensors with the model's names and shapes; raise `ModelError` with all mismatches."""
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
            wrong.append(f"wrong shape: {name}: found {_kind(found.shape, found)}, expected {_kind(shape, value)}")
        elif name in fixed and not torch.allclose(found.to(value.dtype), value, rtol=0.0, atol=TOLERANCE):
            wrong.append(f"wrong values: {name} is not {MEANING[name]}")
    if wrong:
        raise ModelError(
            "\n  ".join([f"{path} does not have the published architecture:", *wrong])
            + "\nIf these tensors belong to its text or image encoder, name the encoder's configuration with --text or "
            "--image; otherwise the checkpoint was trained with other code and cannot be imported."
        )
    return {own: state[name].reshape(value.shape) for name, (own, value) in ours.items()}


def _kind(shape: Sequence[int], value: Tensor) -> str:
    return f"{list(shape)} {str(value.dtype).removeprefix('torch.')}"
