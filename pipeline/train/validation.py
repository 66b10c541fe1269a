"""How well a model does on the validation split while it is trained: on the same examples at every epoch."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.model.embed import embed_films, queries_of
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.films import FeatureStore, FilmFeatures, Stored
from pipeline.train.loss import Loss
from pipeline.train.numerics import full_float32
from pipeline.train.sampling import Plan, ReadAhead, batch_count, draw
from pipeline.train.section import Train

CUT = 10  # of the recall

Precision = Callable[[], AbstractContextManager]


class Validation:
    """The films of the validation split, and the draws of them that `train.seed` alone decides."""

    def __init__(
        self, films: list[FilmFeatures], store: FeatureStore, config: dict[str, Any], params: Train, loss: Loss
    ) -> None:
        self.films, self.store, self.config, self.params, self.loss = films, store, config, params, loss
        rng = np.random.default_rng(params.seed)
        numbers = np.array_split(np.arange(len(films)), batch_count(len(films), params.batch_size))
        self.plans = [
            draw(films, of_batch, None, store, config["window_steps"], rng)
            for _ in range(params.valid_draws)
            for of_batch in numbers
        ]
        self.tracks = _middles(films, store, config["window_steps"])

    def __call__(self, model: RetrievalModel, device: torch.device, precision: Precision) -> dict[str, float]:
        """Return `valid_loss`, and `valid_recall_at_10` among the tracks of all films, each by its middle window.

        The loss is the mean over batches of films, as in training, of `train.valid_draws` draws.
        """
        model.eval()
        with torch.inference_mode(), precision():
            loss = float(np.mean([self._loss(model, plan, device) for plan in self.plans]))
            if not math.isfinite(loss):
                return {"valid_loss": loss, "valid_recall_at_10": math.nan}
            queries = embed_films(model, queries_of(self.films, self.store), self.config, self._size, device)
            tracks = torch.cat([model.encode_audio(batch) for batch in self._batches(self.tracks, device)])
        found = recall_at(CUT, torch.from_numpy(queries) @ tracks.cpu().T, torch.from_numpy(self.tracks.films))
        return {"valid_loss": loss, "valid_recall_at_10": found}

    @property
    def _size(self) -> int:
        return self.params.micro_batch_size or self.params.batch_size

    def _loss(self, model: RetrievalModel, plan: Plan, device: torch.device) -> float:
        pairs = [(model.encode_query(batch), model.encode_audio(batch)) for batch in self._batches(plan, device)]
        query, audio = (torch.cat(of_tower) for of_tower in zip(*pairs, strict=True))
        films = torch.from_numpy(plan.films).to(device)
        with full_float32(device):
            return self.loss(query, audio, model.scale(), films).item()

    def _batches(self, plan: Plan, device: torch.device) -> Iterator[dict[str, Stored]]:
        parts = (plan.part(begin, begin + self._size) for begin in range(0, len(plan), self._size))
        for _, stored in ReadAhead(parts, lambda part: part.read(self.store, self.config["window_steps"])):
            yield self.store.batch(stored, device)


def recall_at(k: int, scores: Tensor, films: Tensor) -> float:
    """Return the mean over films of the share of a film's tracks that are among the first k, between 0 and 1.

    `scores` [films, tracks]; `films` [tracks] is whose each track is. Equal scores count as lower ranks, so that a
    model that tells nothing apart finds nothing.
    """
    shares = []
    for film, row in enumerate(scores):
        own = row[films == film]
        ranks = (row[None, :] >= own[:, None]).sum(1)
        shares.append((ranks <= k).double().mean())
    return torch.stack(shares).mean().item()


def _middles(films: list[FilmFeatures], store: FeatureStore, window_steps: int) -> Plan:
    """Return the middle window of every track; the rows of inputs are each film's first."""
    numbers = np.repeat(np.arange(len(films)), [len(film.track_rows) for film in films])
    tracks = np.concatenate([film.track_rows for film in films])
    starts = np.maximum(store.audio.steps[tracks] - window_steps, 0) // 2
    return Plan(numbers, tracks, starts, {})
