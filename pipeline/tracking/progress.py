"""The progress of a training run: a bar on a terminal, else a log line every `LOGGED_SECONDS`."""

import logging
import time

from torch import Tensor
from tqdm import tqdm

log = logging.getLogger(__name__)

SHOWN_SECONDS = 1.0  # between updates of the loss on the bar: reading it synchronises a GPU
LOGGED_SECONDS = 30.0  # between two log lines


class Progress:
    """Progress in training examples, over all epochs."""

    def __init__(self, epochs: int, examples: int, done: int) -> None:
        """Start after `done` epochs of `examples` each."""
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs * examples, initial=done * examples, unit=" examples", smoothing=0.05, disable=None
        )
        self.shown = self.logged = time.monotonic()

    def step(self, examples: int, loss: Tensor) -> None:
        """Add one step."""
        self.bar.update(examples)
        if not self.bar.disable and time.monotonic() - self.shown > SHOWN_SECONDS:
            self.bar.set_postfix(loss=f"{loss.item():.3f}")
            self.shown = time.monotonic()

    def epoch(self, record: dict[str, float]) -> None:
        """Show the results of an epoch and the remaining time, unless a line was logged recently."""
        if not self.bar.disable:
            self.bar.set_description(f"epoch {record['epoch']}/{self.epochs}, valid {record['valid_loss']:.3f}")
        elif time.monotonic() - self.logged > LOGGED_SECONDS:
            self.logged = time.monotonic()
            log.info(
                "epoch %d/%d: loss %.3f, validation %.3f, recall at 10 %.3f; %.0f examples/s, %.0f min left",
                record["epoch"],
                self.epochs,
                record["train_loss"],
                record["valid_loss"],
                record["valid_recall_at_10"],
                record["examples_per_second"],
                (self.epochs - record["epoch"]) * record["seconds"] / 60,
            )

    def close(self) -> None:
        """Close the bar."""
        self.bar.close()
