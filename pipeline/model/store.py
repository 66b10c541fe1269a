"""A model's folder: `model.safetensors`, and `config.json` with the settings of the model and its features."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.files import whole_file, write_json
from pipeline.core.variants import Input, apart
from pipeline.encoders.section import is_log_mel
from pipeline.encoders.tuned import build_tuned
from pipeline.model.audio import AudioTower, HeadedAudioTower, VectorTower
from pipeline.model.fusion import FusionTower
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.section import Model as ModelParams
from pipeline.model.whitened import WhitenedAudioTower, WhitenedTower
from pipeline.store.films import INPUT_TABLES, FeatureStore, open_store, require_specs
from pipeline.store.raw import raw_tables

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TAGS_RULE = "tags_rule"  # in a published model's config: the form of tags, `parse.tags`
BUILDING = threading.Lock()  # transformers changes PyTorch's defaults for all threads while it builds a network

Config = dict[str, Any]


def build_model(config: Config, encoders: Mapping[str, nn.Module] | None = None) -> RetrievalModel:
    """Return a model with random weights for a `config` of `model_config`.

    Its text and image encoders are `encoders`, or else built with random weights too.
    """
    params = TypeAdapter(ModelParams).validate_json(json.dumps(config["model"]))
    features, settings, inputs = config["features"], config["encoders"], config["inputs"]
    if encoders is None:
        encoders = {kind: build_tuned(kind, settings[kind]) for kind in settings}
    widths = {name: settings.get(INPUT_TABLES[name], features.get(name))["width"] for name in inputs}
    if params.towers == "paper":
        query: nn.Module = FusionTower(params, widths, config["fuse_single"])
    else:
        query = WhitenedTower(params, widths, unit=True)
    audio = _audio_tower(params, features["audio"], config["window_steps"])
    model = RetrievalModel(params, inputs, query, audio, encoders, config["drop_inputs"])
    # Convolutions with few channels become several times faster. PyTorch's stubs lack this overload of `to`.
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _audio_tower(params: ModelParams, features: Config, window_steps: int) -> nn.Module:
    are_frames, width = is_log_mel(features["encoder"]), features["width"]
    if params.towers != "paper":
        return WhitenedAudioTower(params, width, are_frames)
    tower = AudioTower(params.audio, width, window_steps) if are_frames else VectorTower(width, params.audio.width)
    return HeadedAudioTower(params, tower)


def model_config(
    variant: str,
    inputs: Sequence[str],
    params: ModelParams,
    features: Config,
    window_steps: int,
    encoders: Config | None = None,
    fuse_single: bool = True,
    drop_inputs: float = 0.0,
) -> Config:
    """Return the content of `config.json`.

    `features` are the settings of the audio features and of each precomputed input, `encoders` those of the encoders
    inside the model.
    """
    return {
        "variant": variant,
        "inputs": list(inputs),
        "window_steps": window_steps,
        "fuse_single": fuse_single,
        "drop_inputs": drop_inputs,
        "model": asdict(params),
        "features": features,
        "encoders": encoders or {},
    }


def save_model(folder: Path, model: RetrievalModel, config: Config) -> None:
    """Write the weights and `config` to `folder`."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with whole_file(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    write_json(folder / CONFIG, config)


def load_model(folder: Path) -> tuple[RetrievalModel, Config]:
    """Return the model of `folder` in evaluation mode, and its config."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        with BUILDING:
            model = build_model(config)
        model.load_state_dict(state)
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{error.filename or folder / WEIGHTS} is missing: run `dvc repro train@{folder.name}`"
        ) from None
    except (json.JSONDecodeError, SafetensorError, KeyError, ValidationError, RuntimeError) as error:
        advice = f"run `dvc repro -f -s train@{folder.name}`"
        raise ModelError(f"{folder} holds no model of this version ({error}): {advice}") from None
    return model.eval(), config


def open_for_model(
    root: Path, dataset: list[dict[str, Any]], variant: str, inputs: Sequence[Input], config: Config
) -> FeatureStore:
    """Open the inputs of the model of `config` for the films of `dataset`: features, or tokens and pixels.

    Raises `ModelError` if the model is not of `variant` with `inputs`, or was trained on other features.
    """
    folder = root / "models" / variant
    expected = inputs if "text" in config["encoders"] else apart(inputs)
    if set(config["inputs"]) != set(expected):
        raise ModelError(
            f"{folder} holds a model of {', '.join(config['inputs'])} (variant {config['variant']}), but "
            f"variants.{variant} is {', '.join(inputs)}: run `dvc repro train@{variant}`"
        )
    raw = raw_tables(root, dataset, config["inputs"], config["encoders"])
    store = open_store(root / "data/features", config["inputs"], raw)
    require_specs(store.specs(), config["features"], str(folder))
    return store
