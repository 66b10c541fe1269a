"""Gradients are summed bucket by bucket while others are still computed, even if a process lacks some."""

import os

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce

from pipeline.train import reduction
from pipeline.train.group import open_group
from pipeline.train.reduction import summed
from tests.train.test_group import in_processes

LAYERS = 4


class Done:
    """A completed communication."""

    def wait(self):
        pass


@pytest.fixture
def network(monkeypatch):
    """Layers of 3 × 3 weights in buckets of one, and the sums: their sizes, and the number of gradients at the time.

    Sums are those of two processes with the same gradients.
    """
    torch.manual_seed(0)
    layers = nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(LAYERS)))
    sent = []

    def doubled(flat, group, async_op):
        assert async_op
        sent.append((len(flat), sum(weight.grad is not None for weight in layers.parameters())))
        flat *= 2
        return Done()

    monkeypatch.setattr(reduction, "BUCKET_BYTES", 1)
    monkeypatch.setattr(dist, "all_reduce", doubled)
    return layers, sent


def gradients(layers):
    return [None if weight.grad is None else weight.grad.clone() for weight in layers.parameters()]


def test_sums_start_as_soon_as_gradients_are_there(network):
    layers, sent = network
    layers(torch.ones(2, 3)).sum().backward()
    alone = gradients(layers)
    layers.zero_grad()
    with summed(layers.parameters(), None):
        layers(torch.ones(2, 3)).sum().backward()
        assert sent == [(10, number) for number in range(1, LAYERS + 1)], "the last layer first, as it is computed"
    for found, expected in zip(gradients(layers), alone, strict=True):
        torch.testing.assert_close(found, 2 * expected)


def test_passes_before_are_summed_with_the_last_one_and_passes_after_are_not(network):
    layers, sent = network
    layers(torch.ones(2, 3)).sum().backward()
    assert sent == []
    alone = gradients(layers)
    with summed(layers.parameters(), None):
        layers(torch.ones(2, 3)).sum().backward()
    assert len(sent) == LAYERS
    for found, expected in zip(gradients(layers), alone, strict=True):
        torch.testing.assert_close(found, 4 * expected)
    layers(torch.ones(2, 3)).sum().backward()
    assert len(sent) == LAYERS


def test_small_gradients_share_a_bucket(network, monkeypatch):
    monkeypatch.setattr(reduction, "BUCKET_BYTES", 4 * 3 * 9)  # of float32
    layers, sent = network
    with summed(layers.parameters(), None):
        layers(torch.ones(2, 3)).sum().backward()
    assert [size for size, _ in sent] == [3 * 9 + 3, 9 + 1]


def test_parameters_that_learn_nothing_are_left_alone(network):
    layers, sent = network
    layers[0].weight.requires_grad_(False)
    with summed(layers.parameters(), None):
        layers[3](torch.ones(2, 3)).sum().backward()
    assert [found is None for found in gradients(layers)] == [True, True, True, False]
    assert len(sent) == LAYERS - 1, "processes cannot know what others have"


def test_failure_in_the_block_does_not_wait(network):
    layers, sent = network
    with pytest.raises(ZeroDivisionError), summed(layers.parameters(), None):
        raise ZeroDivisionError
    assert sent == []
    layers(torch.ones(2, 3)).sum().backward()
    assert sent == []


def differing(rank: int, size: int, port: int, folder) -> None:
    """Take a step with four weights, `only` being used by the first process alone; save the gradients."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    reduction.BUCKET_BYTES = 1
    _, first, last, only = weights = [nn.Parameter(torch.tensor([value])) for value in (7.0, 2.0, 5.0, 3.0)]
    with open_group(torch.device("cpu")) as group:
        x = all_reduce(first * (1.0 + rank))  # one process communicates its gradient after that of `only`
        with group.summing(weights):
            (x * last * only if rank == 0 else x * last).sum().backward()
    torch.save([weight.grad for weight in weights], folder / f"{rank}.pt")


@pytest.mark.slow
def test_weights_that_only_some_processes_reach_are_summed_and_nothing_hangs(tmp_path):
    in_processes(differing, 2, tmp_path)
    for rank in range(2):  # the losses are 6 · 5 · 3 and 6 · 5, where 6 = 2 · 1 + 2 · 2
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found == [None, (5.0 * 3 + 5) * (1 + 2), 6.0 * 3 + 6, 6.0 * 5]
