"""Learning rates over a training, and which validation figure is better."""

import math
from dataclasses import dataclass

from pipeline.train.section import Train


@dataclass
class Schedule:
    """The share of the highest learning rate at each step; what it remembers of past epochs is plain numbers."""

    params: Train
    steps: int  # of the whole training
    scale: float = 1.0  # of the plateaus so far
    best: float = math.nan  # figure of the validation split
    waited: int = 0  # epochs since then

    def share(self, step: int) -> float:
        """Return the share at `step`, from 0: rising over the warm-up, then as `train.schedule` sets."""
        warm = round(self.params.warmup * self.steps)
        if step < warm:
            return (step + 1) / warm
        if self.params.schedule != "cosine":
            return self.scale
        return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))

    def after_epoch(self, figure: float) -> None:
        """Take in the validation figure of an epoch: without a better one for a while, plateaus lower the rate."""
        if self.params.schedule == "cosine":
            return
        if self.params.schedule == "plateau":
            advanced = is_better(figure, self.best, self.params)
        else:  # the reference's fault: it waits for the loss to rise
            advanced = is_better(self.best, figure, self.params)
        if advanced or math.isnan(self.best):
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited > self.params.plateau_epochs:  # as ReduceLROnPlateau of PyTorch counts
            self.scale, self.waited = self.scale * self.params.plateau_factor, 0

    def state(self) -> dict[str, float]:
        """Return what `restore` needs."""
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Go on where `state` was."""
        self.scale, self.best, self.waited = state["scale"], state["best"], int(state["waited"])


def is_better(figure: float, best: float, params: Train) -> bool:
    """Return whether a figure of `train.monitor` is better than the best so far, which may not be a number yet."""
    if math.isnan(best):
        return True
    return figure < best if params.monitor == "loss" else figure > best
