"""The device and batch sizes of params.yaml."""

from types import SimpleNamespace

import pytest
import torch

from pipeline.core.errors import ParamsError
from pipeline.core.machine import CPU_BATCHES, GPU_BATCHES, batch_size_on, choose_device


@pytest.mark.parametrize(
    ("name", "present", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_requested_device(monkeypatch, name, present, expected):
    monkeypatch.setattr("torch.cuda.is_available", lambda: present)
    assert choose_device(name).type == expected


def test_missing_cuda_is_not_silently_replaced(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"device: found 'cuda'.*auto or cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(("gigabytes", "times"), [(8, 1), (16, 1), (40, 2), (139, 8)])
def test_auto_batches_are_sized_for_the_device_and_numbers_stay(monkeypatch, gigabytes, times):
    facts = SimpleNamespace(total_memory=gigabytes * 2**30)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: facts)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert [batch_size_on(cpu, of, "auto") for of in CPU_BATCHES] == [1, 4, 32, 32]
    assert [batch_size_on(gpu, of, "auto") for of in GPU_BATCHES] == [16 * times, 64 * times, 64 * times, 32 * times]
    assert {batch_size_on(device, of, 7) for device in (cpu, gpu) for of in CPU_BATCHES} == {7}
