"""One training run: features in, a model folder out."""

import csv
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pipeline.files import write_bytes
from pipeline.model.store import build_model, model_config, save_model
from pipeline.sections import Model, Train
from pipeline.store.films import FeatureStore, films_of
from pipeline.train.loop import HISTORY, Record, fit

log = logging.getLogger(__name__)


def train_variant(
    folder: Path,
    variant: str,
    store: FeatureStore,
    dataset: list[dict[str, Any]],
    model_params: Model,
    params: Train,
    device: torch.device,
    on_epoch: Callable[[Record], None],
) -> None:
    """Train `variant` on the features of `store` and write its model, config and history to `folder`."""
    torch.set_num_threads(params.threads)
    torch.manual_seed(params.seed)
    window_steps = store.window_steps(model_params.audio.window_seconds)
    config = model_config(variant, list(store.inputs), model_params, store.specs(), window_steps)
    model = build_model(config)
    sides = {side: films_of((row for row in dataset if row["side"] == side), store) for side in ("train", "valid")}
    log.info(
        "%s: %d training and %d validation films, %d weights, on %s",
        variant,
        len(sides["train"]),
        len(sides["valid"]),
        sum(weight.numel() for weight in model.parameters()),
        device,
    )
    history = fit(model, store, sides["train"], sides["valid"], window_steps, params, device, on_epoch)
    save_model(folder, model, config)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HISTORY, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_bytes(folder / "history.csv", text.getvalue().encode())
