"""The contrastive loss between films and windows of their music."""

from functools import partial
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.train.section import Train

SameFilm = Literal["masked", "positives", "negatives"]


class Loss(Protocol):
    """A loss with bound parameters, for training and validation."""

    def __call__(self, query: Tensor, audio: Tensor, scale: Tensor, films: Tensor) -> Tensor:
        """Return the scalar loss of unit vectors `query` and `audio` [n, e]; `films` [n] is the film of each row."""


def make_loss(params: Train) -> Loss:
    """Return the loss configured by `params`."""
    return partial(contrastive_loss, same_film=params.same_film)


def contrastive_loss(query: Tensor, audio: Tensor, scale: Tensor, films: Tensor, same_film: SameFilm) -> Tensor:
    """Return the symmetric InfoNCE loss, a scalar, of matching unit vectors `query` and `audio` [n, e].

    The mean of the cross-entropies over rows and over columns of scale · cosine (van den Oord et al. 2018, eq. 4; both
    directions as in Radford et al. 2021, figure 3). `films` [n] is the film of each row. Other rows of the same film
    are left out of the sum (masked), are further positives of equal weight (Khosla et al. 2020, eq. 2), or are
    negatives. If all similarities are equal and all films differ, the loss is ln(n).
    """
    logits = scale * query @ audio.T  # [n, n]
    same = films[:, None] == films[None, :]
    own = torch.eye(len(films), dtype=torch.bool, device=films.device)
    if same_film == "masked":
        logits = logits.masked_fill(same & ~own, -torch.inf)
    positives = same if same_film == "positives" else own
    return (_cross_entropy(logits, positives) + _cross_entropy(logits.T, positives)) / 2


def _cross_entropy(logits: Tensor, positives: Tensor) -> Tensor:
    """Return the mean over rows of -log softmax, averaged over each row's positives."""
    own = F.log_softmax(logits, dim=1).masked_fill(~positives, 0.0)  # [n, n]
    return -(own.sum(1) / positives.sum(1)).mean()
