"""Batch normalisation synchronised over several processes."""

from typing import TypeVar, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

Network = TypeVar("Network", bound=nn.Module)


def synchronised(model: Network) -> Network:
    """Return `model` with batch statistics taken over all processes; names of modules are unchanged."""
    if next(model.parameters()).is_cuda:
        return cast(Network, nn.SyncBatchNorm.convert_sync_batchnorm(model))  # replaces layers in place
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, _CpuBatchNorm.of(child))
    return model


class _CpuBatchNorm(_BatchNorm):
    """Synchronised batch normalisation for CPUs, which PyTorch has for GPUs only; sums are differentiable."""

    running_mean: Tensor  # never None, unlike in PyTorch: the model's layers track statistics with a momentum
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    @classmethod
    def of(cls, module: _BatchNorm) -> "_CpuBatchNorm":
        """Return a layer with the weights and statistics of `module`."""
        made = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
        made.load_state_dict(module.state_dict())
        return made.to(module.state_dict()["running_mean"].dtype).train(module.training)

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, given: Tensor) -> Tensor:
        """Return `given` [n, c, …] normalised by channel; sums have the dtype of the statistics."""
        if not self.training:
            return F.batch_norm(given, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        x = given.to(self.running_mean.dtype)
        over = [axis for axis in range(x.ndim) if axis != 1]
        count = x.new_tensor([x.numel() / x.shape[1]])
        dist.all_reduce(count)
        mean = all_reduce(x.sum(over)) / count
        centred = x - _channels(mean, x)
        variance = all_reduce(centred.square().sum(over)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scaled = centred * _channels(torch.rsqrt(variance + self.eps) * self.weight, x)
        return (scaled + _channels(self.bias, x)).to(given.dtype)


def _channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (like.ndim - 2))
