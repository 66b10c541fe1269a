"""Pre-norm transformer layers and the two-layer projector of both towers.

Axes: n batch, l token, h head, w width of a head, d shared width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention with heads of any width; queries, keys and values have no bias."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.to_out = nn.Linear(heads * head_width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual [n, l, d] for `x` [n, l, d]."""
        qkv = self.to_qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))  # [n, l, 3, h, w]
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # [n, h, l, w] each
        out = F.scaled_dot_product_attention(q, k, v)  # [n, h, l, w]
        return self.dropout(self.to_out(out.transpose(1, 2).flatten(2)))


class FeedForward(nn.Sequential):
    """The residual of a two-layer network applied to each token."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )


class Transformer(nn.Module):
    """A stack of pre-norm layers without a final norm."""

    def __init__(self, width: int, layers: int, heads: int, head_width: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(Attention(width, heads, head_width, dropout) for _ in range(layers))
        self.feedforwards = nn.ModuleList(FeedForward(width, feedforward, dropout) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens [n, l, d] after all layers."""
        for attention, feedforward in zip(self.attentions, self.feedforwards, strict=True):
            x = x + attention(x)
            x = x + feedforward(x)
        return x


class ProjectionHead(nn.Sequential):
    """Two layers from features [n, f] to embeddings [n, e], not yet normalised."""

    def __init__(self, width: int, hidden: int, embed_dim: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, embed_dim),
            nn.BatchNorm1d(embed_dim),
            nn.GELU(),
            nn.Dropout(dropout),
        )


def learned_table(rows: int, width: int) -> nn.Parameter:
    """Return a learned table [rows, width], initialised from a standard normal as the reference's positions are."""
    return nn.Parameter(torch.randn(rows, width))
