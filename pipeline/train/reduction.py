"""Gradients summed over all processes during the backward pass.

Parameters are grouped into buckets in the reverse order of the model's, which is about the order of a backward pass.
The sum of a bucket starts once its last gradient is computed. Buckets start in the same order in every process; missing
gradients of a process count as zeros. A parameter without a gradient in all processes keeps none, so that the optimiser
skips it as in a single process.

`DistributedDataParallel` does not fit: it averages the gradients of one call of one module's `forward`, while a step
here encodes with two methods, in several parts reduced once, and every process computes the loss of the whole batch.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET_BYTES = 25 * 2**20  # the default of DistributedDataParallel: enough for a network's full bandwidth


@contextmanager
def summed(parameters: Iterable[nn.Parameter], processes: dist.ProcessGroup | None) -> Iterator[None]:
    """Sum each gradient over all processes by the end of the block, which must run the last backward pass of a step.

    Only gradients use the group `processes`, so that other communication, e.g. of batch normalisation, keeps its order.
    """
    buckets = [_Bucket(chosen, processes) for chosen in _parted(parameters)]
    waiting = deque(buckets)

    def reached(bucket: _Bucket, parameter: Tensor) -> None:
        bucket.awaited.discard(parameter)
        while waiting and not waiting[0].awaited:
            waiting.popleft().start()

    hooks = [
        parameter.register_post_accumulate_grad_hook(partial(reached, bucket))
        for bucket in buckets
        for parameter in bucket.parameters
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for bucket in waiting:
        bucket.start()
    for bucket in buckets:
        bucket.finish()


class _Bucket:
    """Parameters whose gradients are summed in one operation."""

    def __init__(self, parameters: Sequence[nn.Parameter], processes: dist.ProcessGroup | None) -> None:
        self.parameters, self.processes = parameters, processes
        self.awaited: set[Tensor] = set(parameters)  # without a gradient yet

    def start(self) -> None:
        """Start summing the gradients, and the number of processes with each."""
        gradients = [parameter.grad for parameter in self.parameters]
        flat = [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, gradients, strict=True)]
        had = flat[0].new_tensor([gradient is not None for gradient in gradients])
        self.flat = torch.cat([*(gradient.reshape(-1) for gradient in flat), had])
        self.work = dist.all_reduce(self.flat, group=self.processes, async_op=True)

    def finish(self) -> None:
        """Wait for the sums and set the gradients to them."""
        self.work.wait()
        *sums, had = self.flat.split([*(parameter.numel() for parameter in self.parameters), len(self.parameters)])
        for number, (parameter, found) in enumerate(zip(self.parameters, sums, strict=True)):
            if parameter.grad is None and had[number] > 0:
                parameter.grad = torch.empty_like(parameter)
            if parameter.grad is not None:
                parameter.grad.copy_(found.view_as(parameter))


def _parted(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Yield trainable parameters, from the last to the first, in lists of about `BUCKET_BYTES`."""
    chosen: list[nn.Parameter] = []
    size = 0
    for parameter in reversed(list(parameters)):
        if not parameter.requires_grad:
            continue
        chosen.append(parameter)
        size += parameter.numel() * parameter.element_size()
        if size >= BUCKET_BYTES:
            yield chosen
            chosen, size = [], 0
    if chosen:
        yield chosen
