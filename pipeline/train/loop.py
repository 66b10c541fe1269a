"""The training loop: contrastive epochs over all films, the last one kept or the best by validation loss."""

import logging
import math
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from pipeline.errors import ModelError, StageError
from pipeline.model.retrieval import RetrievalModel
from pipeline.sections import Train
from pipeline.store.films import FeatureStore, Film
from pipeline.train.loss import contrastive_loss
from pipeline.train.sampling import draw_batch, film_batches

log = logging.getLogger(__name__)

HISTORY = ("epoch", "train_loss", "valid_loss", "logit_scale", "learning_rate")
MIN_FILMS = 2  # one film alone has no negative

Record = dict[str, float]


def fit(
    model: RetrievalModel,
    store: FeatureStore,
    train_films: list[Film],
    valid_films: list[Film],
    window_steps: int,
    params: Train,
    device: torch.device,
    on_epoch: Callable[[Record], None],
) -> list[Record]:
    """Train `model` in place and return a record an epoch (`HISTORY`).

    With a `patience` training ends so many epochs after its best, whose weights it leaves; without one it goes through
    all epochs, down to the lowest learning rate, and leaves the last: on few films the validation loss is a poor judge.

    The validation loss is the mean over `valid_draws` draws that are the same at every epoch. `on_epoch` is called with
    each record. Raises `StageError` when a side has fewer than two films, `ModelError` when the loss is not finite.
    """
    for side, films in (("train", train_films), ("valid", valid_films)):
        if len(films) < MIN_FILMS:
            raise StageError(
                f"split.{side}: the {side} side has {len(films)} films, a contrastive loss needs {MIN_FILMS} or more; "
                "raise its share or add films"
            )
    rng = np.random.default_rng(params.seed)
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    steps = params.epochs * -(-len(train_films) // params.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, params.learning_rate, total_steps=steps, pct_start=params.warmup, cycle_momentum=False
    )
    history: list[Record] = []
    best_state, best = {}, math.inf
    progress = tqdm(range(1, params.epochs + 1), "epochs", disable=None)
    for epoch in progress:
        learning_rate = optimizer.param_groups[0]["lr"]
        model.train()
        losses = []
        for numbers in film_batches(len(train_films), params.batch_size, rng):
            batch = draw_batch([train_films[i] for i in numbers], store, window_steps, rng, device)
            loss = _loss(model, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), params.max_grad_norm)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        record = {
            "epoch": epoch,
            "train_loss": float(np.mean(losses)),
            "valid_loss": validation_loss(model, store, valid_films, window_steps, params, device),
            "logit_scale": model.scale().item(),
            "learning_rate": learning_rate,
        }
        if not math.isfinite(record["train_loss"] + record["valid_loss"]):
            raise ModelError(
                f"the loss of epoch {epoch} is not finite: lower train.learning_rate ({params.learning_rate:g})"
            )
        history.append(record)
        on_epoch(record)
        progress.set_postfix(train=f"{record['train_loss']:.3f}", valid=f"{record['valid_loss']:.3f}")
        if params.patience is None:
            continue
        if record["valid_loss"] < best:
            best, best_epoch = record["valid_loss"], epoch
            best_state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        elif epoch - best_epoch >= params.patience:
            break
    if params.patience is not None:
        model.load_state_dict(best_state)
        log.info("best of %d epochs: %d, validation loss %.4f", len(history), best_epoch, best)
    return history


def validation_loss(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[Film],
    window_steps: int,
    params: Train,
    device: torch.device,
) -> float:
    """Return the contrastive loss of `films` in evaluation mode, over draws that only `params.seed` decides."""
    rng = np.random.default_rng(params.seed)
    batches = -(-len(films) // params.batch_size)
    model.eval()
    losses = []
    with torch.inference_mode():
        for _ in range(params.valid_draws):
            for numbers in np.array_split(np.arange(len(films)), batches):
                batch = draw_batch([films[i] for i in numbers], store, window_steps, rng, device)
                losses.append(_loss(model, batch).item())
    return float(np.mean(losses))


def _loss(model: RetrievalModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return contrastive_loss(model.encode_query(batch), model.encode_audio(batch), model.scale())
