"""A published checkpoint's file: read as tensors alone, never as code."""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.apps.checkpoint.names import of_version_4
from pipeline.core.errors import ModelError

PARALLEL = "module."  # what DataParallel puts before every name
UNREAD = ("text_encoder.embeddings.position_ids",)  # a constant that old versions of transformers kept


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds."""

    state: dict[str, Tensor]  # by the reference's names
    epoch: int | None
    best_loss: float | None


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in `path`: one with a `state_dict`, or a state dict by itself.

    Raises `ModelError` for a file that is missing, damaged, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing or no file: name a checkpoint, a .pth file as the reference saves it")
    try:
        mapped = zipfile.is_zipfile(path)  # the optimizer's values, twice the size, then stay on the disk
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # as torch raises for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{path} cannot be read as tensors alone: {lines[0] if lines else type(error).__name__}\n"
            "Anything else in such a file can run code, so it is not read. Fetch it again if it may be damaged, or ask "
            "whoever made it for its state_dict alone."
        ) from None
    whole = found if isinstance(found, Mapping) else {}
    state = whole.get("state_dict", whole)
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not named or not state or not all(map(_is_plain, state.values())):
        raise ModelError(f"{path} holds no state_dict, a tensor a name: it is no checkpoint of the reference")
    if all(name.startswith(PARALLEL) for name in state):
        state = {name.removeprefix(PARALLEL): value for name, value in state.items()}
    renamed = {}
    for name, value in state.items():
        known = of_version_4(name)
        renamed[name if known in state else known] = value
    kept = {name: value for name, value in renamed.items() if name not in UNREAD}
    epoch, best_loss = _number(whole.get("epoch")), _number(whole.get("best_loss"))
    return Checkpoint(kept, None if epoch is None else int(epoch), best_loss)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _number(value: Any) -> float | None:
    """Return a finite number that a file gives as a number or a tensor of one, None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
