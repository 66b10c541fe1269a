"""The paper's query tower: one token per input, a fusion transformer over the tokens, and one head.

Axes: n batch, m input, f feature width, d token width, e embedding width.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipeline.model.section import Model as ModelParams
from pipeline.model.transformer import ProjectionHead, Transformer, learned_table


class FusionTower(nn.Module):
    """A projection and a position per input, then fusion and head."""

    def __init__(self, params: ModelParams, widths: Mapping[str, int], fuse_single: bool = True) -> None:
        """Build a tower for inputs of `widths`.

        Without `fuse_single` a query of one input skips the fusion in evaluation mode, as in the reference's inference.
        """
        super().__init__()
        query, head = params.query, params.projector
        self.widths, self.fuse_single = dict(widths), fuse_single
        self.input_dropout = nn.Dropout(query.input_dropout)
        self.projections = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, query.width, bias=False))
                for name, width in widths.items()
            }
        )
        self.positions = learned_table(len(widths), query.width)
        self.fusion = Transformer(
            query.width, query.layers, query.heads, query.head_width, query.feedforward, query.dropout
        )
        self.head = ProjectionHead(len(widths) * query.width, head.hidden, params.embed_dim, head.dropout)

    def forward(self, found: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> Tensor:
        """Return [n, e] of the embeddings [n, f] in `found`.

        Missing inputs are zeros, as under input dropout; so are the rows of an input where `kept` [n, 1] is zero.
        """
        like = next(iter(found.values()))
        tokens = []
        for name, width in self.widths.items():
            values = self.input_dropout(found[name]) if name in found else like.new_zeros(len(like), width)
            tokens.append(self.projections[name](values * kept[name] if name in kept else values))
        phi = torch.stack(tokens, dim=1)  # [n, m, d]
        if self.training or self.fuse_single or len(tokens) > 1:
            phi = phi + self.fusion(phi + self.positions)
        return self.head(phi.flatten(1))
