"""Learning rate schedules, and the comparison of validation metrics."""

import math
from dataclasses import dataclass

from pipeline.train.section import Train


@dataclass
class Schedule:
    """The share of the highest learning rate at each step; its state is plain numbers."""

    params: Train
    steps: int  # of the whole training
    scale: float = 1.0  # after the plateaus so far
    best: float = math.nan  # validation metric
    waited: int = 0  # epochs since the best one

    def share(self, step: int) -> float:
        """Return the share at `step`, counted from 0: linear warm-up, then `train.schedule`."""
        warm = round(self.params.warmup * self.steps)
        if step < warm:
            return (step + 1) / warm
        if self.params.schedule != "cosine":
            return self.scale
        return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))

    def after_epoch(self, figure: float) -> None:
        """Update with the validation metric of an epoch; a plateau lowers the rate."""
        if self.params.schedule == "cosine":
            return
        if self.params.schedule == "plateau":
            advanced = is_better(figure, self.best, self.params)
        else:  # a bug of the reference: it waits for the loss to rise
            advanced = is_better(self.best, figure, self.params)
        if advanced or math.isnan(self.best):
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited > self.params.plateau_epochs:  # as in ReduceLROnPlateau of PyTorch
            self.scale, self.waited = self.scale * self.params.plateau_factor, 0

    def state(self) -> dict[str, float]:
        """Return the state for `restore`."""
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Restore a state returned by `state`."""
        self.scale, self.best, self.waited = state["scale"], state["best"], int(state["waited"])


def is_better(figure: float, best: float, params: Train) -> bool:
    """Return whether a value of `train.monitor` is better than the best so far, which is NaN at first."""
    if math.isnan(best):
        return True
    return figure < best if params.monitor == "loss" else figure > best
