"""The contrastive loss between films and windows of their music."""

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(query: Tensor, audio: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric InfoNCE of unit vectors `query` and `audio` [n, e], whose rows i belong together.

    The mean of the cross-entropies over rows and over columns of scale · cosine (van den Oord et al. 2018, eq. 4; both
    directions as in Radford et al. 2021, figure 3). Each film may stand in the batch only once: every other row is a
    negative. A scalar, ln(n) when all similarities are equal.
    """
    logits = scale * query @ audio.T  # [n, n]
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
