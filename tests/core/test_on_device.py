"""Batches on a device: order of results and of launches."""

import numpy as np
import pytest
import torch

from pipeline.core.on_device import LATE, computed, mapped, overlaps, pinned, preparers

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_results_come_in_order_one_batch_late():
    launched = []

    def compute(inputs):
        launched.append(int(inputs["x"][0]))
        return inputs["x"] * 2

    found = []
    for key, values in computed(((n, {"x": torch.tensor([n])}) for n in range(5)), compute, CPU):
        found.append((key, values.tolist()))
        assert launched == list(range(min(key + 1 + LATE, 5)))
    assert found == [(n, [2 * n]) for n in range(5)]
    assert list(computed([], compute, CPU)) == []


def test_nested_inputs_are_mapped():
    inputs = {"text": {"ids": torch.tensor([1]), "mask": torch.tensor([2])}, "image": torch.tensor([3])}
    found = mapped(lambda tensor: tensor + 1, inputs)
    assert found == {"text": {"ids": torch.tensor([2]), "mask": torch.tensor([3])}, "image": torch.tensor([4])}
    assert mapped(torch.neg, torch.tensor([5])) == torch.tensor([-5])


def test_on_a_cpu_the_caller_computes_and_one_thread_prepares():
    inputs = {"x": torch.zeros(1)}
    assert pinned(inputs, CPU) is inputs
    assert (overlaps(CPU), preparers(CPU)) == (False, 1)
    assert overlaps(CUDA) and preparers(CUDA) >= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_cpus_results_in_order():
    rng = torch.Generator().manual_seed(0)
    parts = [torch.randn(1000, 100, generator=rng) for _ in range(20)]

    def compute(inputs):
        return (inputs["x"] * 3 + 1).relu()

    batches = [(number, {"x": part}) for number, part in enumerate(parts)]
    on_cuda = list(computed(((n, pinned(inputs, CUDA)) for n, inputs in batches), compute, CUDA))
    for (key, values), (number, inputs) in zip(on_cuda, batches, strict=True):
        assert key == number
        assert np.allclose(values, compute(inputs).numpy(), atol=1e-6)
