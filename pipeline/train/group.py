"""Several processes that train one model: each encodes its share of every batch, and all take the same step.

Every process plans the whole batch, so films are known everywhere; embeddings are gathered, and the loss of the whole
batch is computed by each. Shares differ by one example at most, and are filled up before they are gathered.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipeline.core.errors import ParamsError
from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import run_on_a_node
from pipeline.train.batch_norm import Network, synchronised
from pipeline.train.reduction import summed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Group:
    """The processes of a training, and this one's place among them."""

    rank: int
    size: int
    device: torch.device
    gradients: dist.ProcessGroup | None = None  # the same processes, for sums of gradients only; None: the default one

    @property
    def first(self) -> bool:
        """Whether this is the process that reports, writes, and reads what is resumed from."""
        return self.rank == 0

    def share(self, count: int, rank: int | None = None) -> tuple[int, int]:
        """Return where the part of a process (this one) begins and ends in `count` examples, or other things."""
        rank = self.rank if rank is None else rank
        return rank * count // self.size, (rank + 1) * count // self.size

    def shares(self, count: int) -> list[tuple[int, int]]:
        """Return `share` of every process, in order."""
        return [self.share(count, rank) for rank in range(self.size)]

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """Return the rows [n, e] of all processes in order; gradients reach this one's own `rows`.

        `counts` says how many rows each process has.
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
        """Return the context of a step's last backward pass: when it ends each gradient is the sum of all processes."""
        return summed(parameters, self.gradients) if self.size > 1 else nullcontext()

    def broadcast(self, value: Value) -> Value:
        """Return the first process's `value`, whatever can be pickled."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0, device=self.device)
        return values[0]

    def prepare(self, model: Network) -> Network:
        """Return `model` on this process's device, with the first one's weights and statistics of the whole batch."""
        model.to(self.device)
        if self.size == 1:
            return model
        for value in model.state_dict().values():
            dist.broadcast(value, 0)
        return synchronised(model)


@contextmanager
def open_group(device: torch.device) -> Iterator[Group]:
    """Yield this process's group: that of `torchrun`, or itself alone."""
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

    Returns None where there is nothing to start: for one process here, or in one that `torchrun` has started. Raises
    `ParamsError` when there are not as many GPUs.
    """
    processes = machine.train_processes
    status = run_on_a_node(module, arguments, processes, machine.device != "cpu")
    if status is not None or processes == 1 or "WORLD_SIZE" in os.environ:
        return status
    device = choose_device(machine.device)
    if device.type == "cuda" and processes > torch.cuda.device_count():
        raise ParamsError(
            f"machine.train_processes: found {processes}, there are {torch.cuda.device_count()} GPUs here; lower it, "
            "or set machine.device to cpu"
        )
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", module, *arguments]
    return subprocess.run([sys.executable, *command], check=False).returncode
