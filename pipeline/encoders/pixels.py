"""Preprocessing for image encoders: scale the shorter side, crop squares, normalise values.

The settings come from the model's preprocessor, except that images are never distorted to a square: proportions are
kept and the longer side is cropped. For square images the result equals that of the model's own preprocessor.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Preparation:
    """Settings of the preprocessing."""

    side: int  # px, of the shorter side after scaling
    size: int  # px, of the square crop
    resample: int  # Pillow's constant of the filter
    factor: float  # for values 0 … 255
    mean: list[float]  # per channel, after the factor
    std: list[float]

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return uint8 [size, size, 3], the centre of an image of any shape."""
        return self.centre(self.squares(image, 1)[0])

    def centre(self, square: Image.Image) -> np.ndarray:
        """Return uint8 [size, size, 3] of one of `squares`."""
        edge = (self.side - self.size) // 2
        return np.asarray(square.crop((edge, edge, edge + self.size, edge + self.size)))

    def values(self, stored: Tensor) -> Tensor:
        """Return a model's input, float32 [n, 3, size, size], for uint8 images [n, size, size, 3]."""
        mean, std = (torch.tensor(numbers, device=stored.device) for numbers in (self.mean, self.std))
        return ((stored.float() * self.factor - mean) / std).permute(0, 3, 1, 2)

    def squares(self, image: Image.Image, count: int) -> list[Image.Image]:
        """Return at most `count` squares [side, side] in RGB, evenly spread along the longer side.

        The first is the centre, followed by those at the ends and then inwards. Short images have fewer, a square image
        a single one. Scaling does not change a square of the right size.
        """
        shorter = min(image.size)
        width, height = (max(self.side, round(edge * self.side / shorter)) for edge in image.size)
        scaled = image.resize((width, height), Image.Resampling(self.resample))
        slack = max(width, height) - self.side  # px
        boxes = [
            (at, 0, at + self.side, self.side) if width > height else (0, at, self.side, at + self.side)
            for at in _offsets(slack, count)
        ]
        return [scaled.crop(box) for box in boxes]


def read_preparation(folder: Path) -> Preparation:
    """Return the settings of the preprocessor of the model in `folder`, with its class's defaults.

    Raises `OSError` if its file is missing, `ValueError` if it does not return square images.
    """
    from transformers import AutoImageProcessor

    found = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True, trust_remote_code=False)
    side = _edge(found.size)
    return Preparation(
        side=side,
        size=_edge(found.crop_size) if found.do_center_crop else side,
        resample=int(found.resample),
        factor=float(found.rescale_factor) if found.do_rescale else 1.0,
        mean=np.broadcast_to(found.image_mean if found.do_normalize else 0.0, 3).tolist(),
        std=np.broadcast_to(found.image_std if found.do_normalize else 1.0, 3).tolist(),
    )


def _edge(size: dict[str, int | None]) -> int:
    """Return the side of the square of a preprocessor's size."""
    height, width = (size.get(name) or size.get("shortest_edge") for name in ("height", "width"))
    if height is None or height != width:
        raise ValueError(f"its preprocessor's size is not square: {dict(size)}")
    return int(height)


def _offsets(slack: int, count: int) -> list[int]:
    """Return at most `count` distinct integers in 0 … `slack`: the middle, then from the ends inwards."""
    steps = count - count % 2  # even, so that the middle is one of the steps
    inwards = sorted(range(steps + 1), key=lambda step: -abs(2 * step - steps))[:-1]
    return list(dict.fromkeys([slack // 2, *(slack * step // steps for step in inwards)]))[:count]
