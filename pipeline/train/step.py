"""One step's gradients: those of a whole batch's loss, however many parts and processes it is encoded in.

A batch's loss compares all its examples, but depends on them through their embeddings only. So the gradient of each
embedding is taken first, with what other processes have encoded standing beside, and is then carried on into the
encoders. In several parts each is encoded twice, first without keeping what gradients need, then with it and with the
same dropout (Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, section 3).
Batch normalisation takes its statistics over a part, of all processes.
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

Part = Callable[[], Batch]  # makes a part of the batch on the device
Pair = tuple[Tensor, Tensor]  # query and audio, [n, e] each


def backward(
    model: RetrievalModel,
    parts: Sequence[Part],
    films: Tensor,
    loss_of: Loss,
    group: Group,
    precision: Callable[[], AbstractContextManager],
) -> Tensor:
    """Add the gradients of the batch's loss to those of the model, and return the loss.

    `parts` are this process's share in order, `films` [n] the whole batch's film numbers; the encoders compute in
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
        model.logit_scale.grad /= group.size  # each process has all of it
    begin = 0
    for part, state in zip(parts, states, strict=True):
        pair = pairs.pop(0)  # whose graph is freed once its gradients are taken
        if len(parts) > 1:
            _restore(state, group.device)
            with precision():
                pair = _encoded(model, part())
        end = begin + len(pair[0])
        with nullcontext() if pairs else group.summing(model.parameters()):  # once a step, after the last part
            torch.autograd.backward(pair, [query.grad[begin:end], audio.grad[begin:end]])
        begin = end
    return loss.detach()


def _encoded(model: RetrievalModel, batch: Batch) -> Pair:
    return model.encode_query(batch), model.encode_audio(batch)


@contextmanager
def _first_pass(model: RetrievalModel) -> Iterator[None]:
    """Encode without gradients, and leave the running statistics to the second pass."""
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
    """Return the states that dropout draws from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _restore(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
