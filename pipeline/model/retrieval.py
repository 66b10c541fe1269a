"""The retrieval model: a film's inputs and a window of audio, embedded as unit vectors in one space.

Soundtrack Recommendation for Film Productions: A Multimodal Approach. `model.towers` of params.yaml chooses the towers:
`pipeline.model.whitened`, or the paper's `pipeline.model.fusion` and `pipeline.model.audio`.

A batch is a dict of columns; the model reads only its own: `audio` [n, l, f], a window of log-mel frames in dB or one
vector of a pretrained encoder, and each of the model's inputs (`image`, `tags`, `plot`, `tags_plot`). An input is an
embedding [n, f] or, if the model has an encoder of its kind, that encoder's tokens or pixels. If some films lack an
input, `present` maps the input to the films that have it, bool [n, 1].

Axes: n batch, m input, l step, f feature width, e embedding width.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model.section import Model as ModelParams
from pipeline.store.films import INPUT_TABLES, PRESENT

Batch = Mapping[str, Any]  # a tensor, or tokens with their mask


class RetrievalModel(nn.Module):
    """Both towers of one variant and the learned temperature of their similarity."""

    def __init__(
        self,
        params: ModelParams,
        inputs: Sequence[str],
        query_tower: nn.Module,
        audio_tower: nn.Module,
        encoders: Mapping[str, nn.Module] | None = None,
        drop_inputs: float = 0.0,
    ) -> None:
        """Join the towers.

        The query tower takes embeddings [n, f] by input and masks of the rows to keep [n, 1] by input; the audio tower
        takes [n, l, f]; both return [n, e]. `encoders` by kind (text, image) are part of the model. In training each
        input of an example is dropped with probability `drop_inputs`, but never all of them.
        """
        super().__init__()
        self.inputs = tuple(inputs)
        self.encoders = nn.ModuleDict(encoders or {})
        self.query_tower, self.audio_tower = query_tower, audio_tower
        self.drop_inputs = drop_inputs
        self.max_logit_scale = params.max_logit_scale
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1.0 / params.temperature)))
        self.clamp_scale()

    def encode_query(self, batch: Batch, without: Collection[str] = ()) -> Tensor:
        """Return the unit vectors [n, e], float32, of the films in `batch`.

        The inputs in `without` (never all) are dropped as by `drop_inputs` in training; `batch` need not have them.
        """
        found = {name: self._embedding(name, batch) for name in self.inputs if name not in without}
        present = {name: rows for name, rows in batch.get(PRESENT, {}).items() if name in found}
        if self.training and self.drop_inputs:
            present = self._kept(present, next(iter(found.values())))
        kept = {name: rows.to(found[name].dtype) for name, rows in present.items()}
        return F.normalize(self.query_tower(found, kept).float(), dim=-1)

    def encode_audio(self, batch: Batch) -> Tensor:
        """Return the unit vectors [n, e], float32, of the windows in `batch`."""
        return F.normalize(self.audio_tower(batch["audio"]).float(), dim=-1)

    def scale(self) -> Tensor:
        """Return the inverse temperature that multiplies cosines."""
        return self.logit_scale.exp()

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Clamp the parameter so that `scale` is at most `max_logit_scale`.

        Called after each optimiser step, not in `scale`: a clamp there has no gradient above the cap, and the parameter
        would never return.
        """
        self.logit_scale.clamp_(max=math.log(self.max_logit_scale))

    def _embedding(self, name: str, batch: Batch) -> Tensor:
        """Return the embedding [n, f] of an input."""
        kind = INPUT_TABLES[name]
        return self.encoders[kind](batch[name]) if kind in self.encoders else batch[name]

    def _kept(self, present: Mapping[str, Tensor], like: Tensor) -> dict[str, Tensor]:
        """Return a random mask per input, bool [n, 1]: the examples that keep it; each keeps at least one that it has.

        Without `present` every example has all inputs.
        """
        size = (len(like), len(self.inputs))
        has = torch.cat([present[name] for name in self.inputs], 1) if present else like.new_ones(size).bool()
        kept = has & (torch.rand(size, device=like.device) >= self.drop_inputs)
        spared = torch.rand(size, device=like.device).masked_fill(~has, -1.0).argmax(1, keepdim=True)
        kept |= torch.zeros_like(kept).scatter(1, spared, ~kept.any(1, keepdim=True))
        return {name: kept[:, [i]] for i, name in enumerate(self.inputs)}
