"""Several processes train as one: the same gradients and statistics, even with shares of different size."""

import contextlib
import itertools
import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.core.errors import ParamsError
from pipeline.model.store import build_model, model_config
from pipeline.store.films import films_of, open_store
from pipeline.train import group as groups
from pipeline.train import reduction
from pipeline.train.group import Group, open_group, start_processes
from pipeline.train.loss import contrastive_loss, make_loss
from pipeline.train.sampling import draw
from pipeline.train.step import backward
from pipeline.train.validation import Validation
from tests.forks import share_imports
from tests.small_machine import MACHINE
from tests.train.recipe import ALONE, MODEL, TRAIN, train

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
TWO = replace(MACHINE, train_processes=2)
EXAMPLES = 11  # not divisible among two or three processes


def gradients(
    features: Path, dataset: list[dict], group: Group, same_film: str, examples: int, parts: int = 1
) -> dict[str, torch.Tensor]:
    """Return gradients and running statistics after one step of this process's share of a batch, in float64.

    `torch.Tensor.float` must be `double`. With several parts, batch normalisation uses its running statistics, as a
    part has different examples if there are other processes.
    """
    store = open_store(features, ["tags_plot", "image"])
    films = films_of(dataset, store)
    steps = store.window_steps(0.8)
    numbers = np.array([*range(examples - 1), min(3, examples - 1)])
    plan = draw(films, numbers, None, store, steps, np.random.default_rng(0))
    torch.manual_seed(group.rank)  # all processes get the first one's weights
    model = group.prepare(build_model(model_config("x", store.inputs, MODEL, store.specs(), steps)).double().train())
    if parts > 1:
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
    begin, end = group.share(len(plan))
    edges = [begin + (end - begin) * i // parts for i in range(parts + 1)]

    def batch(begin: int, end: int) -> dict[str, torch.Tensor]:
        stored = plan.part(begin, end).read(store, steps)
        return {name: value.double() for name, value in store.batch(stored, CPU).items()}

    loss = backward(
        model,
        [partial(batch, *pair) for pair in itertools.pairwise(edges)],
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
    parts: int,
) -> None:
    torch.set_num_threads(1)
    torch.Tensor.float = torch.Tensor.double
    reduction.BUCKET_BYTES = 1000  # so that there are many
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with open_group(CPU) as group:
        found = gradients(features, dataset, group, same_film, examples, parts)
        save_file({name: value.contiguous() for name, value in found.items()}, folder / f"{rank}.safetensors")


def whole_training(rank: int, size: int, port: int, features: Path, dataset: list[dict], folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with open_group(CPU) as group:
        root = folder if group.first else folder / "nothing is written here"
        params = replace(TRAIN, batch_size=8, micro_batch_size=4, learning_rate=0.005)
        train(root, dataset, params, features=features, group=group)


def validated(features: Path, dataset: list[dict], group: Group, micro: int, films: int) -> dict[str, float]:
    """Return the figures of a fresh model on the first `films`, and the number of windows encoded here for them."""
    store = open_store(features, ["tags_plot", "image"])
    config = model_config("x", store.inputs, MODEL, store.specs(), store.window_steps(0.8))
    torch.manual_seed(0)
    model = group.prepare(build_model(config))
    params, windows = replace(TRAIN, batch_size=4, micro_batch_size=micro), []
    model.audio_tower.register_forward_hook(lambda _, given, out: windows.append(len(out)))
    chosen = films_of(dataset, store)[:films]
    found = Validation(chosen, store, config, params, make_loss(params), group)(model, contextlib.nullcontext)
    return found | {"windows": sum(windows)}


def validate(rank: int, size: int, port: int, folder: Path, *given) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    features, dataset, *rest = given
    with open_group(CPU) as group:
        (folder / f"{rank}.json").write_text(json.dumps(validated(features, dataset, group, *rest)))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def in_processes(work: Callable[..., None], size: int, *given: Any) -> None:
    """Run `work(rank, size, port, *given)` in processes forked from one that has imported PyTorch and this module."""
    share_imports()
    mp.start_processes(work, (size, free_port(), *given), nprocs=size, start_method="forkserver")


@pytest.mark.parametrize(
    ("size", "same_film", "examples", "parts"),
    [
        (2, "masked", EXAMPLES, 1),
        (3, "positives", EXAMPLES, 1),
        (2, "masked", 3, 1),  # one of the processes has a single one
        (2, "masked", EXAMPLES, 3),
    ],
)
def test_processes_give_the_gradients_of_one(
    features, dataset, tmp_path, size, same_film, examples, parts, monkeypatch
):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # so that differences are not due to rounding
    expected = gradients(features, dataset, ALONE, same_film, examples, parts)
    in_processes(worker, size, features, dataset, tmp_path, same_film, examples, parts)
    for rank in range(size):
        found = load_file(tmp_path / f"{rank}.safetensors")
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-8, msg=f"{name} of process {rank}")


def test_processes_train_as_one_and_the_first_alone_writes(features, dataset, tmp_path):
    in_processes(whole_training, 2, features, dataset, tmp_path / "two")
    assert not (tmp_path / "two/nothing is written here").exists()
    params = replace(TRAIN, batch_size=8, learning_rate=0.005)
    train(tmp_path / "one", dataset, params, features=features)
    histories = [
        np.genfromtxt(tmp_path / name / "models/All/history.csv", delimiter=",", names=True) for name in ("one", "two")
    ]
    assert len(histories[0]) == len(histories[1]) == params.epochs
    first = [history["train_loss"][0] for history in histories]
    assert first[0] == pytest.approx(first[1], rel=0.2)  # batch normalisation has two examples per process
    assert all(history["train_loss"][-1] < 0.8 * history["train_loss"][0] for history in histories)


def test_processes_resume_from_what_the_first_one_finds(features, dataset, tmp_path):
    class Killed(BaseException):
        pass

    def on_epoch(record):
        if record["epoch"] == 5:
            raise Killed

    params = replace(TRAIN, batch_size=8, micro_batch_size=4, learning_rate=0.005)
    with pytest.raises(Killed):
        train(tmp_path, dataset, params, features=features, on_epoch=on_epoch)
    (state,) = (tmp_path / "models/.resume").iterdir()
    before = torch.load(state, weights_only=True)["history"]
    in_processes(whole_training, 2, features, dataset, tmp_path)
    history = np.genfromtxt(tmp_path / "models/All/history.csv", delimiter=",", names=True)
    assert history["train_loss"][: len(before)].tolist() == [record["train_loss"] for record in before]
    assert history["epoch"].tolist() == [*range(1, params.epochs + 1)]


@pytest.mark.parametrize(("size", "micro", "films"), [(2, 4, 12), (3, 4, 2)])  # with two films, one process has none
def test_validation_is_shared_and_gives_the_figures_of_one_process(features, dataset, tmp_path, size, micro, films):
    expected = validated(features, dataset, ALONE, micro, films)
    in_processes(validate, size, tmp_path, features, dataset, micro, films)
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(size)]
    for figures in found:
        assert figures["valid_loss"] == expected["valid_loss"]
        assert figures["valid_recall_at_10"] == pytest.approx(expected["valid_recall_at_10"], abs=1e-6)
    assert sum(figures["windows"] for figures in found) == expected["windows"]
    assert max(figures["windows"] for figures in found) < expected["windows"]


def test_shares_cover_a_batch_and_differ_by_at_most_one():
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
    assert start_processes(MACHINE, "stages.train", []) is None


def test_gpu_is_chosen_by_local_rank(monkeypatch):
    for name, value in {"WORLD_SIZE": "16", "RANK": "11", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(groups.dist, "init_process_group", chosen.append)
    monkeypatch.setattr(groups.dist, "get_rank", lambda: 11)
    for name in ("new_group", "destroy_process_group"):
        monkeypatch.setattr(groups.dist, name, lambda: None)
    with open_group(torch.device("cuda")) as group:
        assert (group.rank, group.size, group.device) == (11, 16, torch.device("cuda", 3))
    assert chosen == [torch.device("cuda", 3), "nccl"]


def test_process_that_torchrun_started_starts_no_others(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert start_processes(TWO, "stages.train", []) is None


def test_processes_are_started_by_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    called = []
    monkeypatch.setattr(groups, "run", lambda command, folder: called.append(command) or 3)
    assert start_processes(TWO, "stages.train", ["--variant", "Im"]) == 3
    assert called[0][1:] == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *("-m", "stages.train", "--variant", "Im"),
    ]


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParamsError, match=r"machine\.train_processes: found 2"):
        start_processes(replace(TWO, device="cuda"), "stages.train", [])
