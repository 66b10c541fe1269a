"""Several processes that train one model: each encodes its share of every batch, and all take the same step.

Every process plans the whole batch, so films are known everywhere; embeddings are gathered, and the loss of the whole
batch is computed by each. Shares differ by one example at most, and are filled up before they are gathered.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipeline.core.errors import ParamsError
from pipeline.train.batch_norm import Network, synchronised


@dataclass(frozen=True)
class Group:
    """The processes of a training, and this one's place among them."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, reports and writes."""
        return self.rank == 0

    def share(self, count: int, rank: int | None = None) -> tuple[int, int]:
        """Return where the examples of a process (this one) begin and end in a batch of `count`."""
        rank = self.rank if rank is None else rank
        return rank * count // self.size, (rank + 1) * count // self.size

    def gather(self, rows: Tensor, count: int) -> Tensor:
        """Return the rows [count, e] of all processes in order; gradients reach this one's own `rows`."""
        if self.size == 1:
            return rows
        sizes = [end - begin for begin, end in (self.share(count, rank) for rank in range(self.size))]
        filled = rows.new_zeros(max(sizes), rows.shape[1])
        filled[: len(rows)] = rows.detach()
        parts = [torch.empty_like(filled) for _ in sizes]
        dist.all_gather(parts, filled)
        parts = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        parts[self.rank] = rows
        return torch.cat(parts)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def broadcast(self, values: Sequence[float]) -> list[float]:
        """Return the first process's `values`."""
        if self.size == 1:
            return list(values)
        sent = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(sent, 0)
        return sent.tolist()

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
        yield Group(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()


def start_processes(processes: int, device: torch.device, module: str, arguments: Sequence[str]) -> int | None:
    """Run `python -m module arguments` in `processes` processes and return the exit status.

    Returns None where there is nothing to start: for one process, or in one that `torchrun` has started. Raises
    `ParamsError` when there are not as many GPUs.
    """
    if processes == 1 or "WORLD_SIZE" in os.environ:
        return None
    if device.type == "cuda" and processes > torch.cuda.device_count():
        raise ParamsError(
            f"machine.train_processes: found {processes}, there are {torch.cuda.device_count()} GPUs here; lower it, "
            "or set machine.device to cpu"
        )
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", module, *arguments]
    return subprocess.run([sys.executable, *command], check=False).returncode
