"""The gradients of one step: those of the whole batch's loss, for any number of parts and processes.

A batch's loss compares all its examples, but depends on them only through their embeddings. The gradients of the
embeddings are therefore computed first, from the embeddings of all processes, and then propagated into the encoders. A
batch in several parts is encoded twice, first without gradients, then with gradients and the same dropout (Gao et al.
2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, section 3). Batch normalisation takes its
statistics over one part in all processes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.model.retrieval import Batch, RetrievalModel
from pipeline.train.group import Group
from pipeline.train.loss import Loss
from pipeline.train.numerics import full_float32

Part = Callable[[], Batch]  # returns a part of the batch on the device
Pair = tuple[Tensor, Tensor]  # query and audio, [n, e] each


def backward(
    model: RetrievalModel,
    parts: Sequence[Part],
    films: Tensor,
    loss_of: Loss,
    group: Group,
    precision: Callable[[], AbstractContextManager],
) -> Tensor:
    """Add the gradients of the batch's loss to the model's, and return the loss.

    `parts` are this process's share in order, `films` [n] the film numbers of the whole batch. Encoders compute in
    `precision()`, similarities and loss in float32.
    """
    pairs: list[Pair] = []
    states = []
    with _first_pass(model) if len(parts) > 1 else nullcontext():
        for part in parts:
            states.append(_generators(group.device))
            with precision():
                pairs.append(_encoded(model, part()))
    query, audio = (torch.cat([pair[i].detach() for pair in pairs]).requires_grad_() for i in (0, 1))
    counts = [end - begin for begin, end in group.shares(len(films))]
    every_query, every_audio = (group.gather(rows, counts) for rows in (query, audio))
    with full_float32(group.device):
        loss = loss_of(every_query, every_audio, model.scale(), films)
        loss.backward()  # up to the embeddings, and into the temperature
    assert query.grad is not None and audio.grad is not None
    if model.logit_scale.grad is not None:
        model.logit_scale.grad /= group.size  # each process has the whole gradient
    begin = 0
    for part, state in zip(parts, states, strict=True):
        pair = pairs.pop(0)  # its graph is freed after its backward pass
        if len(parts) > 1:
            _restore(state, group.device)
            with precision():
                pair = _encoded(model, part())
        end = begin + len(pair[0])
        with nullcontext() if pairs else group.summing(model.parameters()):  # once per step, with the last part
            torch.autograd.backward(pair, [query.grad[begin:end], audio.grad[begin:end]])
        begin = end
    return loss.detach()


def _encoded(model: RetrievalModel, batch: Batch) -> Pair:
    return model.encode_query(batch), model.encode_audio(batch)


@contextmanager
def _first_pass(model: RetrievalModel) -> Iterator[None]:
    """Encode without gradients and without updating running statistics."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [module.momentum for module in norms]
    for module in norms:
        module.momentum = 0.0
    try:
        with torch.no_grad():
            yield
    finally:
        for module, momentum in zip(norms, before, strict=True):
            module.momentum = momentum


def _generators(device: torch.device) -> list[Tensor]:
    """Return the random states that dropout uses."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _restore(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
