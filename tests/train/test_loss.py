"""The contrastive loss against a slow oracle and at its limits."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from pipeline.train.loss import contrastive_loss, make_loss
from tests.train.recipe import TRAIN

WAYS = ["masked", "positives", "negatives"]


def oracle(query, audio, scale, films, same_film) -> float:
    """Return the loss, computed with loops over examples."""
    n, total = len(query), 0.0
    for one, other in ((query, audio), (audio, query)):
        for i in range(n):
            logits = [scale * float(one[i] @ other[j]) for j in range(n)]
            same = [j for j in range(n) if films[j] == films[i]]
            compared = [j for j in range(n) if j == i or j not in same or same_film != "masked"]
            sums = math.log(sum(math.exp(logits[j]) for j in compared))
            positives = same if same_film == "positives" else [i]
            total -= sum(logits[j] - sums for j in positives) / len(positives)
    return total / (2 * n)


def unit(n: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("same_film", WAYS)
@pytest.mark.parametrize("films", [[0, 1], [3, 1, 2, 0, 4], [0, 0, 1, 1, 0, 2, 3], [5, 5, 5]])
def test_loss_equals_the_oracle(films, same_film):
    query, audio = unit(len(films), 0), unit(len(films), 1)
    found = contrastive_loss(query, audio, torch.tensor(5.0), torch.tensor(films), same_film)
    assert found.item() == pytest.approx(oracle(query, audio, 5.0, films, same_film), abs=1e-12)


def test_ways_differ_only_if_a_film_occurs_twice():
    query, audio, scale = unit(5, 0), unit(5, 1), torch.tensor(5.0)
    once = {contrastive_loss(query, audio, scale, torch.arange(5), way).item() for way in WAYS}
    twice = {contrastive_loss(query, audio, scale, torch.tensor([0, 1, 1, 2, 3]), way).item() for way in WAYS}
    assert max(once) - min(once) < 1e-12
    assert len(twice) == 3


def test_masked_examples_of_a_film_have_no_gradient_from_each_other():
    query, audio = unit(3, 0).requires_grad_(), unit(3, 1)
    films = torch.tensor([0, 0, 1])
    (first,) = torch.autograd.grad(contrastive_loss(query, audio, torch.tensor(5.0), films, "masked"), query)
    audio = audio.clone()
    audio[1] = F.normalize(torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64), dim=0)  # of the same film as row 0
    (second,) = torch.autograd.grad(contrastive_loss(query, audio, torch.tensor(5.0), films, "masked"), query)
    torch.testing.assert_close(first[0], second[0])
    assert not torch.allclose(first[2], second[2])


@pytest.mark.parametrize("same_film", WAYS)
def test_equal_similarities_give_log_n(same_film):
    same = unit(1, 0).expand(7, -1)
    found = contrastive_loss(same, same, torch.tensor(3.0), torch.arange(7), same_film)
    assert found.item() == pytest.approx(math.log(7))


def test_batch_of_one_film_alone_is_no_error():
    query, audio = unit(3, 0).requires_grad_(), unit(3, 1)
    loss = contrastive_loss(query, audio, torch.tensor(5.0), torch.zeros(3, dtype=torch.int64), "masked")
    loss.backward()
    assert loss.item() == 0.0
    assert query.grad.isfinite().all()


def test_loss_falls_to_zero_when_each_film_is_next_to_its_music():
    axes = torch.eye(4)
    assert contrastive_loss(axes, axes, torch.tensor(100.0), torch.arange(4), "masked").item() < 1e-6


def test_loss_is_symmetric_in_its_roles():
    query, audio = unit(6, 2), unit(6, 3)
    scale, films = torch.tensor(4.0), torch.tensor([0, 1, 2, 2, 3, 4])
    for way in WAYS:
        one, other = (contrastive_loss(a, b, scale, films, way).item() for a, b in ((query, audio), (audio, query)))
        assert one == pytest.approx(other)


@pytest.mark.parametrize("way", WAYS)
def test_the_loss_of_a_training_is_the_one_that_its_parameters_name(way):
    rows = unit(4, 4), unit(4, 5), torch.tensor(4.0), torch.tensor([0, 1, 1, 2])
    found = make_loss(replace(TRAIN, same_film=way))(*rows)
    assert found.item() == contrastive_loss(*rows, way).item()
