"""Towers over frozen embeddings: principal components of the training films, then one linear layer, or two.

The components of each input have a mean variance of one over the training films, so that inputs of any scale and width
count the same, and noise of one size suits all of them. Their statistics are buffers, part of the model's file.

Axes: n batch, l step, f feature width, r component, e embedding width.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model.section import Model as ModelParams

AUDIO = "audio"  # the one input of the audio tower


class Whitening(nn.Module):
    """Embeddings to components: (x − mean) · axes, which training leaves as they were fitted."""

    mean: Tensor
    axes: Tensor

    def __init__(self, width: int, components: int, unit: bool) -> None:
        """Take embeddings of `width`, brought to unit norm before if `unit`; until it is fitted it cuts them off."""
        super().__init__()
        self.unit = unit
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("axes", torch.eye(width, min(width, components)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the components [n, r] of embeddings `x` [n, f]."""
        return ((F.normalize(x, dim=-1) if self.unit else x) - self.mean) @ self.axes


class WhitenedTower(nn.Module):
    """The components of all inputs side by side, with noise while training, and a head over them."""

    def __init__(self, params: ModelParams, widths: Mapping[str, int], unit: bool) -> None:
        """Build a tower for inputs of `widths`; its head is one layer, or has a hidden one, as `params.towers` says."""
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

        An input that is not in it counts as its mean, that is zeros; so do the rows for which `kept` [n, 1] of an input
        is zero.
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
    """The same over a window of music."""

    def __init__(self, params: ModelParams, width: int, are_frames: bool) -> None:
        """Build a tower for steps of `width`: frames of log-mel, if `are_frames`, or vectors of an encoder."""
        super().__init__(params, {AUDIO: pooled_width(width, are_frames)}, unit=False)
        self.are_frames = are_frames

    def forward(self, steps: Tensor) -> Tensor:  # type: ignore[override]  # one input, that is always there
        """Return [n, e] of `steps` [n, l, f]."""
        return super().forward({AUDIO: pooled(steps, self.are_frames)}, {})


def pooled(steps: Tensor, are_frames: bool) -> Tensor:
    """Return one vector of steps [..., l, f]: their mean [..., f], or of frames mean and deviation [..., 2 f]."""
    mean = steps.mean(-2)
    return torch.cat([mean, steps.std(-2, unbiased=False)], dim=-1) if are_frames else mean


def pooled_width(width: int, are_frames: bool) -> int:
    """Return how many values `pooled` gives for steps of `width`."""
    return 2 * width if are_frames else width
