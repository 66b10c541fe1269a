"""Several processes train as one: the same gradients and statistics, also where shares differ in size."""

import contextlib
import itertools
import os
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file

from pipeline.core.errors import ParamsError
from pipeline.model.store import build_model, model_config
from pipeline.store.films import films_of, open_store
from pipeline.train import group as groups
from pipeline.train.group import Group, open_group, start_processes
from pipeline.train.loss import contrastive_loss
from pipeline.train.sampling import draw
from pipeline.train.step import backward
from tests.train.recipe import ALONE, MODEL, TRAIN, train

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
EXAMPLES = 11  # which two and three processes cannot share evenly


def gradients(
    features: Path, dataset: list[dict], group: Group, same_film: str, examples: int
) -> dict[str, torch.Tensor]:
    """Return gradients and running statistics after one step of this process's share of a batch, in float64.

    `torch.Tensor.float` must be `double`.
    """
    store = open_store(features, ["tags_plot", "image"])
    films = films_of(dataset, store)
    steps = store.window_steps(0.8)
    numbers = np.array([*range(examples - 1), min(3, examples - 1)])
    plan = draw(films, numbers, None, store, steps, np.random.default_rng(0))
    torch.manual_seed(group.rank)  # the first process's weights are those of all
    model = group.prepare(build_model(model_config("x", store.inputs, MODEL, store.specs(), steps)).double().train())
    part = plan.part(*group.share(len(plan))).read(store, steps)
    batch = {name: value.double() for name, value in store.batch(part, CPU).items()}
    loss = backward(
        model,
        [lambda: batch],
        torch.from_numpy(plan.films),
        partial(contrastive_loss, same_film=same_film),
        group,
        contextlib.nullcontext,
    )
    found = {name: weight.grad for name, weight in model.named_parameters()}
    return found | {name: value.clone() for name, value in model.named_buffers()} | {"loss": loss}


def worker(
    rank: int,
    size: int,
    port: int,
    features: Path,
    dataset: list[dict],
    folder: Path,
    same_film: str,
    examples: int,
) -> None:
    torch.set_num_threads(1)
    torch.Tensor.float = torch.Tensor.double
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with open_group(CPU) as group:
        found = gradients(features, dataset, group, same_film, examples)
        save_file({name: value.contiguous() for name, value in found.items()}, folder / f"{rank}.safetensors")


def whole_training(rank: int, size: int, port: int, features: Path, dataset: list[dict], folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with open_group(CPU) as group:
        root = folder if group.first else folder / "nothing is written here"
        params = replace(TRAIN, batch_size=8, micro_batch_size=4, learning_rate=0.005)
        train(root, dataset, params, features=features, group=group)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("size", "same_film", "examples"),
    [(2, "masked", EXAMPLES), (3, "positives", EXAMPLES), (2, "masked", 3)],  # of three one process has one alone
)
def test_processes_give_the_gradients_of_one(features, dataset, tmp_path, size, same_film, examples, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # so that what differs is no rounding
    expected = gradients(features, dataset, ALONE, same_film, examples)
    mp.spawn(worker, (size, free_port(), features, dataset, tmp_path, same_film, examples), nprocs=size)
    for rank in range(size):
        found = load_file(tmp_path / f"{rank}.safetensors")
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-8, msg=f"{name} of process {rank}")


def test_processes_train_as_one_and_the_first_alone_writes(features, dataset, tmp_path):
    mp.spawn(whole_training, (2, free_port(), features, dataset, tmp_path / "two"), nprocs=2)
    assert not (tmp_path / "two/nothing is written here").exists()
    params = replace(TRAIN, batch_size=8, learning_rate=0.005)
    train(tmp_path / "one", dataset, params, features=features)
    histories = [
        np.genfromtxt(tmp_path / name / "models/All/history.csv", delimiter=",", names=True) for name in ("one", "two")
    ]
    assert len(histories[0]) == len(histories[1]) == params.epochs
    first = [history["train_loss"][0] for history in histories]
    assert first[0] == pytest.approx(
        first[1], rel=0.2
    )  # batch normalisation takes two examples of each process at once
    assert all(history["train_loss"][-1] < 0.8 * history["train_loss"][0] for history in histories)


def test_shares_are_all_of_a_batch_and_differ_by_one_at_most():
    for size in (1, 2, 3, 8):
        for count in (8, 9, 31, 512):
            edges = [Group(rank, size, CPU).share(count) for rank in range(size)]
            assert edges[0][0] == 0
            assert edges[-1][1] == count
            assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
            sizes = [end - begin for begin, end in edges]
            assert max(sizes) - min(sizes) <= 1


def test_one_process_needs_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_group(CPU) as group:
        assert (group.rank, group.size, group.first) == (0, 1, True)
        assert not torch.distributed.is_initialized()
    assert start_processes(1, CPU, "stages.train", []) is None


def test_process_that_torchrun_started_starts_no_others(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert start_processes(2, CPU, "stages.train", []) is None


def test_processes_are_started_by_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    called = []

    class Done:
        returncode = 3

    monkeypatch.setattr(groups.subprocess, "run", lambda command, check: called.append(command) or Done)
    assert start_processes(2, CPU, "stages.train", ["--variant", "Im"]) == 3
    assert called[0][1:] == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *("-m", "stages.train", "--variant", "Im"),
    ]


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParamsError, match=r"machine\.train_processes: found 2"):
        start_processes(2, torch.device("cuda"), "stages.train", [])
