"""The paper's audio towers: residual convolutions over a log-mel window and a transformer over its time steps, or a
projection of a pretrained encoder's vectors, each followed by a head.

Axes: n batch, c channel, m mel band, l frame or time step, f feature width, d width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import ModelError
from pipeline.model.section import AudioTower as AudioTowerParams
from pipeline.model.section import Model as ModelParams
from pipeline.model.transformer import ProjectionHead, Transformer, learned_table


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with a skip connection, then pooling that halves both axes."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.bn_1 = nn.BatchNorm2d(channels)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(channels)
        self.skip: nn.Module = nn.Identity()
        if in_channels != channels:
            self.skip = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return [n, c, m // 2, l // 2] for `x` [n, c', m, l]."""
        out = self.bn_2(self.conv_2(F.relu(self.bn_1(self.conv_1(x)))))
        return F.max_pool2d(F.relu(out + self.skip(x)), 2)


class AudioTower(nn.Module):
    """Encoder of a window of log-mel frames; the feature is the class token after the transformer."""

    def __init__(self, params: AudioTowerParams, n_mels: int, window_frames: int) -> None:
        super().__init__()
        bands, steps = n_mels >> params.blocks, window_frames >> params.blocks
        if not bands or not steps:
            raise ModelError(
                f"model.audio.blocks: found {params.blocks}, too many for {n_mels} mel bands and {window_frames} "
                "frames, which each block halves; lower it, or raise features.audio.n_mels or "
                "model.audio.window_seconds"
            )
        if steps + 1 > params.positions:
            raise ModelError(
                f"model.audio.positions: found {params.positions}, the window needs {steps + 1} ({steps} time steps "
                "and a class token); raise it, or lower model.audio.window_seconds"
            )
        self.input_bn = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(params.channels if i else 1, params.channels) for i in range(params.blocks))
        )
        self.fc = nn.Linear(params.channels * bands, params.width)
        self.class_token = learned_table(1, params.width)
        self.positions = learned_table(params.positions, params.width)
        self.dropout = nn.Dropout(params.dropout)
        self.transformer = Transformer(
            params.width, params.layers, params.heads, params.head_width, params.feedforward, params.dropout
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Return the feature [n, d] of log-mel `frames` [n, l, m] in dB."""
        x = self.input_bn(frames.transpose(1, 2).unsqueeze(1))  # [n, 1, m, l]
        x = self.blocks(x)  # [n, c, m / 2^blocks, l / 2^blocks]
        x = self.fc(x.flatten(1, 2).transpose(1, 2))  # [n, l / 2^blocks, d], channel-major per time step
        x = torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)
        x = self.dropout(x + self.positions[: x.shape[1]])
        return self.transformer(x)[:, 0]


class VectorTower(nn.Module):
    """Mean of a pretrained encoder's projected vectors; the projection is that of the query's inputs."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width, bias=False))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the feature [n, d] of `vectors` [n, l, f]."""
        return self.project(vectors).mean(dim=1)


class HeadedAudioTower(nn.Module):
    """An `AudioTower` or `VectorTower` with its head."""

    def __init__(self, params: ModelParams, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        head = params.projector
        self.head = ProjectionHead(params.audio.width, head.hidden, params.embed_dim, head.dropout)

    def forward(self, steps: Tensor) -> Tensor:
        """Return [n, e] of `steps` [n, l, f]."""
        return self.head(self.tower(steps))
