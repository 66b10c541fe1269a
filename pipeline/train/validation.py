"""Validation during training, on the same examples at every epoch.

All processes of a training run share the work. Windows and examples are encoded in the same batches as by a single
process, each process encoding a share of the batches. Films are divided among processes before batching, so that their
embeddings and the recall equal those of a single process up to rounding.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.model.embed import embed_films, queries_of
from pipeline.model.retrieval import Batch, RetrievalModel
from pipeline.store.films import FeatureStore, FilmFeatures, Stored
from pipeline.train.group import Group
from pipeline.train.loss import Loss
from pipeline.train.numerics import full_float32
from pipeline.train.sampling import Plan, ReadAhead, batch_count, draw
from pipeline.train.section import Train

CUT = 10  # of the recall

Precision = Callable[[], AbstractContextManager]


class Validation:
    """The films of the validation set, and examples of them drawn with `train.seed`."""

    def __init__(
        self,
        films: list[FilmFeatures],
        store: FeatureStore,
        config: dict[str, Any],
        params: Train,
        loss: Loss,
        group: Group,
    ) -> None:
        self.group = group
        self.films, self.store, self.config, self.params, self.loss = films, store, config, params, loss
        rng = np.random.default_rng(params.seed)
        numbers = np.array_split(np.arange(len(films)), batch_count(len(films), params.batch_size))
        self.plans = [
            draw(films, of_batch, None, store, config["window_steps"], rng)
            for _ in range(params.valid_draws)
            for of_batch in numbers
        ]
        self.tracks = _middles(films, store, config["window_steps"])

    def __call__(self, model: RetrievalModel, precision: Precision) -> dict[str, float]:
        """Return `valid_loss`, and `valid_recall_at_10` among the middle windows of the tracks of all films.

        The loss is the mean over batches of films, as in training, and over `train.valid_draws` draws. All processes
        must call this; all return the first one's result.
        """
        model.eval()
        with torch.inference_mode(), precision():
            loss = self.group.broadcast(self._loss(model))
            if not math.isfinite(loss):
                return {"valid_loss": loss, "valid_recall_at_10": math.nan}
            queries = self._queries(model)
            (tracks,) = self._encoded([self.tracks], [model.encode_audio])
        found = recall_at(CUT, queries.cpu() @ tracks.cpu().T, torch.from_numpy(self.tracks.films))
        return {"valid_loss": loss, "valid_recall_at_10": self.group.broadcast(found)}

    def _loss(self, model: RetrievalModel) -> float:
        rows = self._encoded(self.plans, [model.encode_query, model.encode_audio])
        of_plans = zip(*(of_tower.split([len(plan) for plan in self.plans]) for of_tower in rows), strict=True)
        losses = []
        for plan, (query, audio) in zip(self.plans, of_plans, strict=True):
            films = torch.from_numpy(plan.films).to(self.group.device)
            with full_float32(self.group.device):
                losses.append(self.loss(query, audio, model.scale(), films).item())
        return float(np.mean(losses))

    def _encoded(self, plans: Sequence[Plan], towers: Sequence[Callable[[Batch], Tensor]]) -> list[Tensor]:
        """Return the embeddings [n, e] of the examples of `plans`, in order, by each of `towers`."""
        parts = [plan.part(begin, begin + self._size) for plan in plans for begin in range(0, len(plan), self._size)]
        shares = [parts[begin:end] for begin, end in self.group.shares(len(parts))]
        found: list[list[Tensor]] = [[self._none] for _ in towers]  # the share of a process may be empty
        for batch in self._batches(shares[self.group.rank]):
            for rows, encode in zip(found, towers, strict=True):
                rows.append(encode(batch))
        counts = [sum(map(len, share)) for share in shares]
        return [self.group.gather(torch.cat(rows), counts) for rows in found]

    def _queries(self, model: RetrievalModel) -> Tensor:
        """Return the embeddings of all films, [films, e]."""
        shares, rows = self.group.shares(len(self.films)), self._none
        begin, end = shares[self.group.rank]
        if begin < end:
            queries = queries_of(self.films[begin:end], self.store)
            embeddings = embed_films(model, queries, self.config, self._size, self.group.device)
            rows = torch.from_numpy(embeddings).to(self.group.device)
        return self.group.gather(rows, [end - begin for begin, end in shares])

    @property
    def _size(self) -> int:
        return self.params.micro_batch_size or self.params.batch_size

    @property
    def _none(self) -> Tensor:
        """An empty tensor of embeddings, [0, e]."""
        return torch.empty(0, self.config["model"]["embed_dim"], device=self.group.device)

    def _batches(self, parts: Sequence[Plan]) -> Iterator[dict[str, Stored]]:
        for _, stored in ReadAhead(parts, lambda part: part.read(self.store, self.config["window_steps"])):
            yield self.store.batch(stored, self.group.device)


def recall_at(k: int, scores: Tensor, films: Tensor) -> float:
    """Return the mean over films of the share of a film's tracks in the top k, between 0 and 1.

    `scores` is [films, tracks]; `films` [tracks] is each track's film. Tied tracks get the lowest rank of the tie, so
    that a model with constant embeddings has no recall.
    """
    shares = []
    for film, row in enumerate(scores):
        own = row[films == film]
        ranks = (row[None, :] >= own[:, None]).sum(1)
        shares.append((ranks <= k).double().mean())
    return torch.stack(shares).mean().item()


def _middles(films: list[FilmFeatures], store: FeatureStore, window_steps: int) -> Plan:
    """Return a plan of the middle window of every track, without inputs."""
    numbers = np.repeat(np.arange(len(films)), [len(film.track_rows) for film in films])
    tracks = np.concatenate([film.track_rows for film in films])
    starts = np.maximum(store.audio.steps[tracks] - window_steps, 0) // 2
    return Plan(numbers, tracks, starts, {})
