"""The contrastive loss against a slow oracle and at its limits."""

import math

import pytest
import torch
import torch.nn.functional as F

from pipeline.train.loss import contrastive_loss


def oracle(query: torch.Tensor, audio: torch.Tensor, scale: float) -> float:
    n, total = len(query), 0.0
    for i in range(n):
        own = scale * float(query[i] @ audio[i])
        total -= own - math.log(sum(math.exp(scale * float(query[i] @ audio[j])) for j in range(n)))
        total -= own - math.log(sum(math.exp(scale * float(query[j] @ audio[i])) for j in range(n)))
    return total / (2 * n)


def unit(n: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_loss_equals_the_oracle(n):
    query, audio = unit(n, 0), unit(n, 1)
    assert contrastive_loss(query, audio, torch.tensor(5.0)).item() == pytest.approx(
        oracle(query, audio, 5.0), abs=1e-12
    )


def test_equal_similarities_give_log_n():
    same = unit(1, 0).expand(7, -1)
    assert contrastive_loss(same, same, torch.tensor(3.0)).item() == pytest.approx(math.log(7))


def test_loss_falls_to_zero_when_each_film_is_next_to_its_music():
    axes = torch.eye(4)
    assert contrastive_loss(axes, axes, torch.tensor(100.0)).item() < 1e-6


def test_loss_is_symmetric_in_its_roles():
    query, audio = unit(6, 2), unit(6, 3)
    scale = torch.tensor(4.0)
    assert contrastive_loss(query, audio, scale).item() == pytest.approx(contrastive_loss(audio, query, scale).item())
