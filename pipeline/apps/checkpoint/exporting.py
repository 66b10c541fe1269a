"""Export of a model's folder as a checkpoint in the reference's format."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from pipeline.apps.checkpoint.published import ARCHITECTURE, AUDIO, ENCODER_WIDTH, KINDS, WINDOW_STEPS
from pipeline.apps.checkpoint.tensors import HEADS, LOGIT_SCALE, Names, constants, reference_shape
from pipeline.core.errors import ModelError
from pipeline.core.output import output_file
from pipeline.encoders.log_mel import SETTINGS
from pipeline.encoders.section import LOG_MEL, is_log_mel
from pipeline.model.store import WEIGHTS, load_model
from pipeline.store.films import INPUT_TABLES

# settings of training, inference and storage, which do not change the weights' shapes
FREE = (
    "temperature",
    "components",
    "noise",
    "dropout",
    "input_dropout",
    "window_seconds",
    "window_hop_seconds",
    "dtype",
)

Config = dict[str, Any]


def export_reference(folder: Path, path: Path) -> int:
    """Write the model of `folder` to `path` in the reference's format; return the number of tensors.

    Raises `ModelError` with all reasons if the reference's classes cannot hold it.
    """
    if path.is_dir():
        raise ModelError(f"--out: found {path}, a folder; name a file, e.g. {path / folder.name}.pth")
    model, config = load_model(folder)
    reasons = list(_objections(config))
    if reasons:
        raise ModelError("\n  ".join([f"{folder}: the reference's classes cannot hold this model:", *reasons]))
    names = Names(config["inputs"])
    state = {
        names.reference(name): value.reshape(reference_shape(name, value.shape)).contiguous()
        for name, value in model.state_dict().items()
    }
    state |= constants() | {"logit_scale": _logit_scale(folder, config)}
    epoch, best_loss = _best(folder, config)
    whole = {
        "epoch": epoch,
        "state_dict": state,
        "optimizer": {},
        "lr_scheduler": {},
        "loss_details": {},
        "best_loss": best_loss,
    }
    with output_file("--out", path) as file:
        torch.save(whole, file)
    return len(state)


def _objections(config: Config) -> Iterator[str]:
    """Yield the reasons why the reference's classes cannot hold a model: key, value found, value needed."""
    audio = config["features"]["audio"]
    if not is_log_mel(audio["encoder"]):
        yield f"features.audio.encoder: found {audio['encoder']!r}, the reference has a tower over {LOG_MEL}"
    else:
        yield from _differences("features.audio", audio, {name: getattr(AUDIO, name) for name in SETTINGS})
        if config["window_steps"] != WINDOW_STEPS:
            yield f"model.audio.window_seconds: found {config['window_steps']} frames, the reference has {WINDOW_STEPS}"
    yield from _differences("model", config["model"], asdict(ARCHITECTURE))
    kinds = tuple(INPUT_TABLES[name] for name in config["inputs"])
    if kinds not in HEADS:
        inputs = ", ".join(config["inputs"])
        yield f"inputs: found {inputs}, the reference has one text, one image, or a text followed by an image"
    for kind in dict.fromkeys(kinds):
        if kind not in config["encoders"]:
            yield f"train.encoders: found frozen, so the model has no {kind} encoder; the reference has finetune"
            continue
        encoder = config["encoders"][kind]
        found = {
            "model_type": encoder["config"].get("model_type"),
            "hidden_size": encoder["config"].get("hidden_size"),
            "pooling": encoder["pooling"],
            "normalised": encoder.get("normalised", False),
            "dense": encoder.get("dense", []),
            "prompt": encoder.get("prompt", ""),
        }
        needed = {"model_type": KINDS[kind], "hidden_size": ENCODER_WIDTH, "pooling": "cls", "normalised": False}
        needed |= {"dense": [], "prompt": ""}
        yield from _differences(f"features.{kind}.encoder ({encoder['encoder']})", found, needed)


def _differences(prefix: str, found: Mapping[str, Any], needed: Mapping[str, Any]) -> Iterator[str]:
    for name, value in needed.items():
        if isinstance(value, Mapping):
            yield from _differences(f"{prefix}.{name}", found[name], value)
        elif name not in FREE and found[name] != value:
            yield f"{prefix}.{name}: found {found[name]!r}, the reference has {value!r}"


def _logit_scale(folder: Path, config: Config) -> Tensor:
    """Return the scale [1] in the dtype of the imported checkpoint, else in float64, as in the reference."""
    with safe_open(folder / WEIGHTS, "pt") as file:
        scale = file.get_tensor(LOGIT_SCALE).reshape(1)
    return scale if "imported" in config else scale.double()


def _best(folder: Path, config: Config) -> tuple[int, float]:
    """Return the epoch with the lowest validation loss and that loss, or those of the imported checkpoint."""
    if "imported" in config:
        epoch, loss = config["imported"]["epoch"], config["imported"]["best_loss"]
        return epoch or 0, float("inf") if loss is None else loss
    if not (folder / "history.csv").exists():  # a published model's folder has none
        return 0, float("inf")
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        losses = [(float(row["valid_loss"]), int(row["epoch"])) for row in csv.DictReader(file)]
    loss, epoch = min(losses)
    return epoch, loss
