"""Towers over frozen embeddings: principal components of the training films, then one or two layers.

The components of each input have a mean variance of one over the training films, so that inputs of any scale and width
have equal weight and one noise level fits all. Their statistics are buffers, part of the model's file.

Axes: n batch, l step, f feature width, r component, e embedding width.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model.section import Model as ModelParams

AUDIO = "audio"  # the one input of the audio tower


class Whitening(nn.Module):
    """Map from embeddings to components, (x − mean) · axes; training does not change it."""

    mean: Tensor
    axes: Tensor

    def __init__(self, width: int, components: int, unit: bool) -> None:
        """Build a map for embeddings of `width`, first normalised if `unit`; before fitting, it truncates them."""
        super().__init__()
        self.unit = unit
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("axes", torch.eye(width, min(width, components)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the components [n, r] of embeddings `x` [n, f]."""
        return ((F.normalize(x, dim=-1) if self.unit else x) - self.mean) @ self.axes


class WhitenedTower(nn.Module):
    """The concatenated components of all inputs, with noise in training, and a head."""

    def __init__(self, params: ModelParams, widths: Mapping[str, int], unit: bool) -> None:
        """Build a tower for inputs of `widths`; `params.towers` sets whether its head has a hidden layer."""
        super().__init__()
        self.noise = params.noise
        self.whitening = nn.ModuleDict(
            {name: Whitening(width, params.components, unit) for name, width in widths.items()}
        )
        joined = sum(min(width, params.components) for width in widths.values())
        hidden, projector = params.towers == "hidden", params.projector
        self.head: nn.Module = nn.Linear(joined, params.embed_dim)
        if hidden:
            self.head = nn.Sequential(
                nn.Linear(joined, projector.hidden),
                nn.BatchNorm1d(projector.hidden),
                nn.GELU(),
                nn.Dropout(projector.dropout),
                nn.Linear(projector.hidden, params.embed_dim),
            )

    def parts(self) -> dict[str, Whitening]:
        """Return the whitening of each input, in the order of the head's columns."""
        return {name: part for name, part in self.whitening.items() if isinstance(part, Whitening)}

    def forward(self, found: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> Tensor:
        """Return [n, e] of the embeddings [n, f] in `found`.

        Missing inputs are replaced by their mean (zero components); so are the rows of an input where `kept` [n, 1] is
        zero.
        """
        count, like = len(next(iter(found.values()))), next(iter(found.values()))
        parts = []
        for name, whitening in self.parts().items():
            if name not in found:
                parts.append(like.new_zeros(count, whitening.axes.shape[1]))
                continue
            part = whitening(found[name])
            if self.training and self.noise:
                part = part + self.noise * torch.randn_like(part)
            parts.append(part * kept[name] if name in kept else part)
        return self.head(torch.cat(parts, dim=1))


class WhitenedAudioTower(WhitenedTower):
    """A whitened tower over a window of music."""

    def __init__(self, params: ModelParams, width: int, are_frames: bool) -> None:
        """Build a tower for steps of `width`: log-mel frames if `are_frames`, else vectors of an encoder."""
        super().__init__(params, {AUDIO: pooled_width(width, are_frames)}, unit=False)
        self.are_frames = are_frames

    def forward(self, steps: Tensor) -> Tensor:  # type: ignore[override]  # one input, never missing
        """Return [n, e] of `steps` [n, l, f]."""
        return super().forward({AUDIO: pooled(steps, self.are_frames)}, {})


def pooled(steps: Tensor, are_frames: bool) -> Tensor:
    """Return the mean [..., f] of steps [..., l, f]; for frames, mean and standard deviation [..., 2 f]."""
    mean = steps.mean(-2)
    return torch.cat([mean, steps.std(-2, unbiased=False)], dim=-1) if are_frames else mean


def pooled_width(width: int, are_frames: bool) -> int:
    """Return the width of `pooled` for steps of `width`."""
    return 2 * width if are_frames else width
