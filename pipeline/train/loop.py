"""The training loop: contrastive epochs; keeps the last one, or the best by a validation metric."""

import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from pipeline.core.errors import ModelError, ParamsError, StageError
from pipeline.encoders.pretrained import supports_bfloat16
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.films import FeatureStore, FilmFeatures
from pipeline.tracking.progress import Progress
from pipeline.train.group import Group
from pipeline.train.loss import make_loss
from pipeline.train.optimizer import make_optimizer
from pipeline.train.resume import Resume, Saver, State
from pipeline.train.sampling import Plan, ReadAhead, batch_count, epoch_plans, pinned
from pipeline.train.schedule import Schedule, is_better
from pipeline.train.section import Train
from pipeline.train.step import backward
from pipeline.train.validation import Validation

log = logging.getLogger(__name__)

HISTORY = ("epoch", "train_loss", "valid_loss", "valid_recall_at_10", "logit_scale", "learning_rate")
MIN_FILMS = 2  # a single film has no negatives
FIGURES = {"loss": "valid_loss", "recall_at_10": "valid_recall_at_10"}  # by `train.monitor`

Record = dict[str, float]


class NotFiniteError(ModelError):
    """The loss is NaN or infinite."""


class Trainer:
    """One training run: a model, its data and its progress."""

    def __init__(
        self,
        model: RetrievalModel,
        config: dict[str, Any],
        store: FeatureStore,
        splits: dict[str, list[FilmFeatures]],
        params: Train,
        group: Group,
        compiled: bool,
    ) -> None:
        """Prepare the training on `splits["train"]`; if `compiled`, the encoders are compiled by torch.compile.

        Raises `StageError` or `ParamsError` if there are too few films.
        """
        self.films, self.store, self.params, self.group = splits["train"], store, params, group
        self.window_steps = config["window_steps"]
        self.examples = len(self.films) if params.sampler == "films" else sum(len(f.track_rows) for f in self.films)
        _require(splits, self.examples, params, group)
        self.loss = make_loss(params)
        self.validation = Validation(splits["valid"], store, config, params, self.loss, group)
        self.model = group.prepare(model)
        if compiled:
            for part in (model.audio_tower, *model.encoders.values()):
                part.compile()
        self.optimizer = make_optimizer(model, params, group.device)
        self.steps = batch_count(self.examples, params.batch_size)  # per epoch
        self.schedule = Schedule(params, params.epochs * self.steps)
        self.history: list[Record] = []
        self.kept: State = {}  # epoch, figure and weights of the best or last epoch

    def fit(self, resume: Resume, on_epoch: Callable[[Record], None]) -> list[Record]:
        """Train to the end and return one record per epoch (`HISTORY`).

        With `patience` training stops that many epochs after the best one and keeps its weights. Without, it runs all
        epochs and keeps the last, as validation metrics on few films are unreliable. `on_epoch` is called with each
        record and its speed. Raises `NotFiniteError`, with the model reset to the kept epoch and `history` up to the
        last finite one, and `ModelError` when out of memory.
        """
        if state := self.group.broadcast(resume.load() if self.group.first else None):
            self._restore(state)
        progress = Progress(self.params.epochs, self.examples, self._epoch) if self.group.first else None
        if progress and self._epoch:
            log.info("resuming after epoch %d of a stopped training run with the same parameters", self._epoch)
        with Saver(resume) as saver:
            while self._epoch < self.params.epochs and not self._out_of_patience():
                try:
                    with out_of_memory_explained(self.params):
                        record, speed = self._train_epoch(self._epoch + 1, progress)
                except NotFiniteError:
                    self._load_kept()
                    raise
                if progress:
                    on_epoch(record | speed)
                    progress.epoch(record | speed)
                    saver.offer(self._state)
        if progress:
            progress.close()
        self._load_kept()
        return self.history

    @property
    def _epoch(self) -> int:
        """Completed epochs."""
        return len(self.history)

    def _train_epoch(self, epoch: int, progress: Progress | None) -> tuple[Record, Record]:
        begin, step = time.perf_counter(), (epoch - 1) * self.steps
        seeds = np.random.SeedSequence([self.params.seed, epoch])
        torch.manual_seed(seeds.generate_state(1 + self.group.rank)[-1].item())  # dropout
        plans = epoch_plans(self.films, self.store, self.window_steps, self.params, np.random.default_rng(seeds))
        reader = ReadAhead(plans, self._read)
        self.model.train()
        steps = []
        for plan, parts in reader:
            steps.append(self._step(step, plan, parts))
            step += 1
            if progress:
                progress.step(len(plan), steps[-1])
        losses: list[float] = torch.stack(steps).tolist()
        seconds = time.perf_counter() - begin
        self._require_finite(losses, f"epoch {epoch}, step {{}} of {len(losses)}")
        figures = list(self.validation(self.model, self.precision).values())
        self._require_finite(figures[:1], f"epoch {epoch}, on the validation set")
        rate = self.params.learning_rate * self.schedule.share((epoch - 1) * self.steps)  # at the start of the epoch
        values = [epoch, float(np.mean(losses)), *figures, self.model.scale().item(), rate]
        record = dict(zip(HISTORY, values, strict=True))
        self._record_epoch(record)
        speed = {"examples_per_second": self.examples / seconds, "seconds": time.perf_counter() - begin}
        return record, speed | {"input_wait": reader.waited / seconds}

    def _step(self, step: int, plan: Plan, stored: list[dict[str, Any]]) -> torch.Tensor:
        for of_group in self.optimizer.param_groups:
            of_group["lr"] = of_group["highest"] * self.schedule.share(step)
        self.optimizer.zero_grad(set_to_none=True)
        parts = [partial(self.store.batch, part, self.group.device) for part in stored]
        films = torch.from_numpy(plan.films).to(self.group.device)
        loss = backward(self.model, parts, films, self.loss, self.group, self.precision)
        if self.params.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.max_grad_norm)
        self.optimizer.step()
        self.model.clamp_scale()
        return loss

    def _read(self, plan: Plan) -> list[dict[str, Any]]:
        """Return this process's share of a batch, in parts of `train.micro_batch_size`, equally many per process."""
        begin, end = self.group.share(len(plan))
        largest = -(-len(plan) // self.group.size)
        count = -(-largest // (self.params.micro_batch_size or largest))
        edges = [begin + (end - begin) * i // count for i in range(count + 1)]
        parts = [plan.part(*pair).read(self.store, self.window_steps) for pair in itertools.pairwise(edges)]
        return [pinned(part) for part in parts] if self.group.device.type == "cuda" else parts

    def precision(self) -> AbstractContextManager:
        """Return the autocast context of `train.precision`."""
        device, wanted = self.group.device, self.params.precision
        if wanted == "bfloat16" or (wanted == "auto" and supports_bfloat16(device)):
            return torch.autocast(device.type, torch.bfloat16)
        return nullcontext()

    def _require_finite(self, losses: list[float], where: str) -> None:
        for number, loss in enumerate(losses, 1):
            if not math.isfinite(loss):
                raise NotFiniteError(
                    f"the loss is {loss} at {where.format(number)}: lower train.learning_rate (found "
                    f"{self.params.learning_rate:g}) or train.max_grad_norm (found {self.params.max_grad_norm})"
                )

    def _record_epoch(self, record: Record) -> None:
        """Add an epoch to the history and the schedule, and keep its weights if it is the best, or without patience."""
        self.history.append(record)
        figure = record[FIGURES[self.params.monitor]]
        self.schedule.after_epoch(figure)
        if self.params.patience is None or not self.kept or is_better(figure, self.kept["figure"], self.params):
            self._keep(record)

    def _keep(self, record: Record) -> None:
        weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.kept = {"epoch": record["epoch"], "figure": record[FIGURES[self.params.monitor]], "weights": weights}

    def _out_of_patience(self) -> bool:
        patience = self.params.patience
        return bool(self.kept) and patience is not None and self._epoch - self.kept["epoch"] >= patience

    def _load_kept(self) -> None:
        if not self.kept:
            return
        self.model.load_state_dict(self.kept["weights"])
        if self.group.first and self.params.patience is not None:
            name = FIGURES[self.params.monitor]
            log.info("best of %d epochs: %d, %s %.4f", self._epoch, self.kept["epoch"], name, self.kept["figure"])

    def _state(self) -> State:
        return {
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state(),
            "best": {} if self.params.patience is None else self.kept,
        }

    def _restore(self, state: State) -> None:
        self.history = state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.restore(state["schedule"])
        self.kept = state["best"]
        if self.params.patience is None:
            self._keep(self.history[-1])


@contextmanager
def out_of_memory_explained(params: Train) -> Iterator[None]:
    """Turn an out-of-memory error in the block into a `ModelError` with the parameters to lower."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise ModelError(
            f"out of memory: lower train.micro_batch_size (found {params.micro_batch_size or 'null'}; the loss does "
            f"not change), train.batch_size (found {params.batch_size}) or the widths under model.audio; or raise "
            f"machine.train_processes if there are more GPUs ({str(error).splitlines()[0]})"
        ) from error


def _require(splits: dict[str, list[FilmFeatures]], examples: int, params: Train, group: Group) -> None:
    for split, films in splits.items():
        if len(films) < MIN_FILMS:
            raise StageError(
                f"split.{split}: found {len(films)} films, a contrastive loss needs at least {MIN_FILMS}; raise its "
                "share or add films"
            )
    smallest = examples // batch_count(examples, params.batch_size)
    if smallest < group.size:
        raise ParamsError(
            f"machine.train_processes: found {group.size}, a batch has only {smallest} examples; lower it"
        )
    if examples < params.batch_size:
        log.warning(
            "train.batch_size: found %d, but the training set has %d examples; each batch holds all of them",
            params.batch_size,
            examples,
        )
