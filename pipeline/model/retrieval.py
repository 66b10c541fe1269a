"""The retrieval model: a film's inputs and a window of audio, embedded as unit vectors in one space.

Soundtrack Recommendation for Film Productions: A Multimodal Approach. The query tower is built from the variant's list:
one projection and one position an input, a fusion transformer over however many tokens there are, one head.

A batch is a dict with a key a column; the model reads only its own: `audio` [n, l, f], a window of log-mel frames in dB
or one vector of a pretrained encoder, and each of the variant's inputs (`image`, `tags`, `plot`, `tags_plot`). An input
is an embedding [n, f] or, where the model has an encoder of its kind, what that reads: tokens or pixels.

Axes: n batch, m input, l step, f feature width, d shared width, e embedding width.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model.section import Model as ModelParams
from pipeline.model.transformer import ProjectionHead, Transformer, learned_table
from pipeline.store.films import INPUT_TABLES

Batch = Mapping[str, Any]  # a tensor, or tokens with their mask


class RetrievalModel(nn.Module):
    """Both towers of one variant and the learned temperature of their similarity."""

    def __init__(
        self,
        params: ModelParams,
        inputs: Sequence[str],
        widths: Mapping[str, int],
        audio_tower: nn.Module,
        encoders: Mapping[str, nn.Module] | None = None,
        fuse_single: bool = True,
    ) -> None:
        """Build the query tower for `inputs`, whose embeddings have `widths`, beside `audio_tower`.

        The tower takes [n, l, f] to [n, d], where d is `params.audio.width`. `encoders` by kind (text, image) are part
        of the model. Without `fuse_single` a query of one input skips the fusion once the model is in evaluation mode,
        as the reference's inference does.
        """
        super().__init__()
        self.inputs = tuple(inputs)
        self.encoders = nn.ModuleDict(encoders or {})
        self.input_dropout = nn.Dropout(params.query.input_dropout)
        self.max_logit_scale = params.max_logit_scale
        self.fuse_single = fuse_single
        query, head = params.query, params.projector
        self.input_projections = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(widths[name]), nn.Linear(widths[name], query.width, bias=False))
                for name in inputs
            }
        )
        self.input_positions = learned_table(len(self.inputs), query.width)
        self.fusion = Transformer(
            query.width, query.layers, query.heads, query.head_width, query.feedforward, query.dropout
        )
        self.query_head = ProjectionHead(len(self.inputs) * query.width, head.hidden, params.embed_dim, head.dropout)
        self.audio_tower = audio_tower
        self.audio_head = ProjectionHead(params.audio.width, head.hidden, params.embed_dim, head.dropout)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1.0 / params.temperature)))
        self.clamp_scale()

    def encode_query(self, batch: Batch, without: Collection[str] = ()) -> Tensor:
        """Return the unit vectors [n, e], float32, of the films in `batch`.

        Of the inputs in `without` all values are dropped, as training's dropout drops some.
        """
        found = {name: self.input_dropout(self._embedding(name, batch)) for name in self.inputs}
        found |= {name: torch.zeros_like(found[name]) for name in without}
        phi = torch.stack([self.input_projections[name](found[name]) for name in self.inputs], dim=1)  # [n, m, d]
        if self.training or self.fuse_single or len(self.inputs) > 1:
            phi = phi + self.fusion(phi + self.input_positions)
        return F.normalize(self.query_head(phi.flatten(1)).float(), dim=-1)

    def encode_audio(self, batch: Batch) -> Tensor:
        """Return the unit vectors [n, e], float32, of the windows in `batch`."""
        return F.normalize(self.audio_head(self.audio_tower(batch["audio"])).float(), dim=-1)

    def scale(self) -> Tensor:
        """Return the inverse temperature that multiplies cosines."""
        return self.logit_scale.exp()

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Lower the parameter to where `scale` is `max_logit_scale`, if it is above.

        Called after each optimiser step, not in `scale`: a clamp there has no gradient above the cap, and a temperature
        that once got there would stay.
        """
        self.logit_scale.clamp_(max=math.log(self.max_logit_scale))

    def _embedding(self, name: str, batch: Batch) -> Tensor:
        """Return the embedding [n, f] of an input."""
        kind = INPUT_TABLES[name]
        return self.encoders[kind](batch[name]) if kind in self.encoders else batch[name]
