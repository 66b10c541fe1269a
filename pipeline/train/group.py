"""Data-parallel training: each process encodes its share of every batch, and all take the same step.

Every process plans the whole batch, so that all know its films; embeddings are gathered, and each process computes the
loss of the whole batch. Shares differ by at most one example and are padded before they are gathered.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipeline.core.errors import ParamsError
from pipeline.core.interrupt import run
from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import run_on_a_node
from pipeline.train.batch_norm import Network, synchronised
from pipeline.train.reduction import summed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Group:
    """The processes of a training and the rank of this one."""

    rank: int
    size: int
    device: torch.device
    gradients: dist.ProcessGroup | None = None  # of the same processes, for gradients only; None: the default group

    @property
    def first(self) -> bool:
        """Whether this process logs, writes outputs and loads the state to resume from."""
        return self.rank == 0

    def share(self, count: int, rank: int | None = None) -> tuple[int, int]:
        """Return the begin and end of a process's share of `count` items; `rank` defaults to this process."""
        rank = self.rank if rank is None else rank
        return rank * count // self.size, (rank + 1) * count // self.size

    def shares(self, count: int) -> list[tuple[int, int]]:
        """Return `share` of every process, in order."""
        return [self.share(count, rank) for rank in range(self.size)]

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """Return the rows [n, e] of all processes in order; gradients flow to this process's `rows` only.

        `counts` are the numbers of rows of all processes.
        """
        if self.size == 1:
            return rows
        filled = rows.new_zeros(max(counts), rows.shape[1])
        filled[: len(rows)] = rows.detach()
        parts = [torch.empty_like(filled) for _ in counts]
        dist.all_gather(parts, filled)
        parts = [part[:count] for part, count in zip(parts, counts, strict=True)]
        parts[self.rank] = rows
        return torch.cat(parts)

    def summing(self, parameters: Iterable[nn.Parameter]) -> AbstractContextManager:
        """Return a context for a step's last backward pass, at whose end each gradient is summed over all processes."""
        return summed(parameters, self.gradients) if self.size > 1 else nullcontext()

    def broadcast(self, value: Value) -> Value:
        """Return the first process's `value`, any object that can be pickled."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0, device=self.device)
        return values[0]

    def prepare(self, model: Network) -> Network:
        """Return `model` on this process's device, with the first process's weights and synchronised statistics."""
        model.to(self.device)
        if self.size == 1:
            return model
        for value in model.state_dict().values():
            dist.broadcast(value, 0)
        return synchronised(model)


@contextmanager
def open_group(device: torch.device) -> Iterator[Group]:
    """Yield this process's group: the one of `torchrun`, or a group of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size, device, dist.new_group())
    finally:
        dist.destroy_process_group()


def start_processes(machine: Machine, module: str, arguments: Sequence[str]) -> int | None:
    """Run `python -m module arguments` on a node of a cluster, or in several processes, and return the exit status.

    Returns None if this process is to do the training itself. Raises `ParamsError` if there are not enough GPUs.
    """
    processes = machine.train_processes
    status = run_on_a_node(module, arguments, processes, machine.device != "cpu")
    if status is not None or processes == 1 or "WORLD_SIZE" in os.environ:
        return status
    device = choose_device(machine.device)
    if device.type == "cuda" and processes > torch.cuda.device_count():
        raise ParamsError(
            f"machine.train_processes: found {processes}, this machine has {torch.cuda.device_count()} GPUs; lower it, "
            "or set machine.device to cpu"
        )
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", module, *arguments]
    return run([sys.executable, *command], Path())
