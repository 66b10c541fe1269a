"""Shares of GPUs for stages that compute tensors."""

import dataclasses

import pytest

from pipeline.apps.parallel import devices


@pytest.fixture
def machine(params, monkeypatch, tmp_path):
    """Return a function that returns a changed section `machine`; the machine has four GPUs."""
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return lambda **changes: dataclasses.replace(params.machine, **changes)


@pytest.mark.parametrize(("processes", "shares"), [(1, ["0", "1", "2", "3"]), (2, ["0,1", "2,3"]), (3, ["0,1,2"])])
def test_a_share_is_as_many_gpus_as_a_training_has_processes(machine, processes, shares):
    assert devices.shares_of_gpus(machine(train_processes=processes)) == shares


def test_with_more_processes_than_gpus_a_training_gets_all(machine):
    assert devices.shares_of_gpus(machine(train_processes=5)) == ["0,1,2,3"]


@pytest.mark.parametrize(("visible", "shares"), [("2, 0", ["2", "0"]), ("GPU-a", ["GPU-a"]), ("", []), ("-1", [])])
def test_only_visible_gpus_are_shared(machine, monkeypatch, visible, shares):
    monkeypatch.setenv(devices.VISIBLE, visible)
    assert devices.shares_of_gpus(machine()) == shares


def test_nothing_is_shared_on_the_cpu(machine, monkeypatch, tmp_path):
    assert devices.shares_of_gpus(machine(device="cpu")) == []
    monkeypatch.setattr(devices, "DEVICES", tmp_path / "none")
    assert devices.shares_of_gpus(machine()) == []


def test_cores_are_those_of_this_process():
    assert 1 <= devices.cores() <= 4096
