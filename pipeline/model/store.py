"""A model's folder: `model.safetensors`, and `config.json` with all that is needed to build it and to feed it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import MissingFileError, ModelError
from pipeline.files import whole_file, write_json
from pipeline.model.audio import AudioTower, VectorTower
from pipeline.model.retrieval import RetrievalModel
from pipeline.sections import LOG_MEL
from pipeline.sections import Model as ModelParams

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


def build_model(config: dict[str, Any]) -> RetrievalModel:
    """Return a model with fresh weights; `config` as `model_config` makes it."""
    params = TypeAdapter(ModelParams).validate_json(json.dumps(config["model"]))
    features, audio = config["features"], config["features"]["audio"]
    if audio["encoder"] == LOG_MEL:
        tower: nn.Module = AudioTower(params.audio, audio["width"], config["window_steps"])
    else:
        tower = VectorTower(audio["width"], params.audio.width)
    widths = {name: features[name]["width"] for name in config["inputs"]}
    model = RetrievalModel(params, config["inputs"], widths, tower)
    return model.to(memory_format=torch.channels_last)  # several times faster convolutions with few channels


def model_config(
    variant: str, inputs: list[str], params: ModelParams, features: dict[str, Any], window_steps: int
) -> dict[str, Any]:
    """Return what `config.json` holds; `features` are the settings behind each input and the audio."""
    return {
        "variant": variant,
        "inputs": list(inputs),
        "window_steps": window_steps,
        "model": asdict(params),
        "features": features,
    }


def save_model(folder: Path, model: RetrievalModel, config: dict[str, Any]) -> None:
    """Write the weights and `config` to `folder`."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with whole_file(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    write_json(folder / CONFIG, config)


def load_model(folder: Path) -> tuple[RetrievalModel, dict[str, Any]]:
    """Return the model of `folder` in evaluation mode, and its config."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        model = build_model(config)
        model.load_state_dict(state)
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{error.filename or folder / WEIGHTS} is missing: run `dvc repro train@{folder.name}`"
        ) from None
    except (json.JSONDecodeError, SafetensorError, KeyError, ValidationError, RuntimeError) as error:
        raise ModelError(f"{folder} does not hold a model of this version ({error}): run `dvc repro --force`") from None
    return model.eval(), config
