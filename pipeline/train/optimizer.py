"""The optimiser and its parameter groups: weight decay and learning rates."""

import torch
from torch import nn

from pipeline.model.retrieval import RetrievalModel
from pipeline.train.section import Train

CLASSES = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def make_optimizer(model: RetrievalModel, params: Train, device: torch.device) -> torch.optim.Optimizer:
    """Return the optimiser of `params`; each parameter group holds its highest learning rate as `highest`.

    Fine-tuned encoders have a separate learning rate. Biases, gains and the temperature have no weight decay (Radford
    et al. 2021, section 2.5).
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        rate = params.encoder_learning_rate if name.startswith("encoders.") else params.learning_rate
        decay = params.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)
    settings = [
        {"params": weights, "lr": rate, "highest": rate, "weight_decay": decay}
        for (rate, decay), weights in groups.items()
    ]
    return CLASSES[params.optimizer](settings, lr=params.learning_rate, fused=device.type == "cuda")
