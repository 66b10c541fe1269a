"""Learning rates: warm-up, cosine, plateaus in the right direction and in that of the reference."""

import math
from dataclasses import replace

import pytest
import torch

from pipeline.train.schedule import Schedule, is_better
from tests.train.recipe import TRAIN

PLATEAU = replace(TRAIN, schedule="plateau", warmup=0.0)


def test_cosine_rises_over_the_warm_up_and_falls_to_nothing():
    schedule = Schedule(replace(TRAIN, warmup=0.25), 40)
    shares = [schedule.share(step) for step in range(40)]
    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[10:] == pytest.approx([0.5 * (1 + math.cos(math.pi * i / 30)) for i in range(30)])
    assert 0.0 < shares[-1] < 0.01


def test_without_warm_up_the_highest_rate_comes_first():
    assert Schedule(replace(TRAIN, warmup=0.0), 7).share(0) == 1.0
    assert Schedule(replace(TRAIN, warmup=1.0), 4).share(3) == 1.0


FIGURES = [5.0, 4.0, 4.5, 4.0, 4.2, 3.0, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 9.0, 10.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("schedule", "monitor", "mode"),
    [
        ("plateau", "loss", "min"),
        ("plateau", "recall_at_10", "max"),
        ("plateau-reversed", "loss", "max"),
        ("plateau-reversed", "recall_at_10", "min"),
    ],
)
@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_plateaus_are_those_of_pytorch(schedule, monitor, mode, epochs):
    ours = Schedule(replace(PLATEAU, schedule=schedule, monitor=monitor, plateau_epochs=epochs), 100)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, 0.5, epochs, threshold=0.0)
    for figure in FIGURES:
        ours.after_epoch(figure)
        theirs.step(figure)
        assert ours.share(50) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours.share(50) < 1.0, "no plateau: the test shows nothing"


def test_plateau_of_a_falling_loss_keeps_the_rate_and_reversed_lowers_it():
    for schedule, expected in (("plateau", 1.0), ("plateau-reversed", 0.5)):
        ours = Schedule(replace(PLATEAU, schedule=schedule), 100)
        for epoch in range(5):
            ours.after_epoch(5.0 - epoch)
        assert ours.share(60) == expected


def test_schedule_resumes_where_it_was():
    params = replace(PLATEAU, plateau_epochs=2)
    whole, half = Schedule(params, 100), Schedule(params, 100)
    for figure in FIGURES[:8]:
        whole.after_epoch(figure)
        half.after_epoch(figure)
    rest = Schedule(params, 100)
    rest.restore(half.state())
    for figure in FIGURES[8:]:
        whole.after_epoch(figure)
        rest.after_epoch(figure)
        assert rest.share(80) == whole.share(80)


@pytest.mark.parametrize(("monitor", "better", "worse"), [("loss", 1.0, 2.0), ("recall_at_10", 0.6, 0.5)])
def test_better_has_a_direction(monitor, better, worse):
    params = replace(TRAIN, monitor=monitor)
    assert is_better(better, worse, params)
    assert not is_better(worse, better, params)
    assert not is_better(better, better, params)
    assert is_better(worse, math.nan, params)
