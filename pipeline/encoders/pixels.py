"""Pictures as an image encoder takes them: shorter side scaled, squares cut out, values normalised.

The numbers come from the model's preprocessor. One that would squeeze a picture to a square is not followed in that:
the proportions stay and what is too long is cut off. Square pictures come out as its own class gives them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Preparation:
    """How pictures become pixels."""

    side: int  # px, to which the shorter side is scaled
    size: int  # px, of the square that is cut out of that
    resample: int  # Pillow's number of the filter
    factor: float  # of values 0 … 255
    mean: list[float]  # of each channel, after that
    std: list[float]

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return uint8 [size, size, 3], the centre of a picture of any shape."""
        return self.centre(self.squares(image, 1)[0])

    def centre(self, square: Image.Image) -> np.ndarray:
        """Return uint8 [size, size, 3] of one of `squares`."""
        edge = (self.side - self.size) // 2
        return np.asarray(square.crop((edge, edge, edge + self.size, edge + self.size)))

    def values(self, stored: Tensor) -> Tensor:
        """Return uint8 pictures [n, size, size, 3] as a model reads them: float32 [n, 3, size, size]."""
        mean, std = (torch.tensor(numbers, device=stored.device) for numbers in (self.mean, self.std))
        return ((stored.float() * self.factor - mean) / std).permute(0, 3, 1, 2)

    def squares(self, image: Image.Image, count: int) -> list[Image.Image]:
        """Return at most `count` squares [side, side] in RGB, evenly spread along the longer side.

        Number 0 is the centre, then come those at the ends, and inwards. A picture too short for `count` different
        ones gives fewer, a square picture one. The scaling leaves such a square as it is.
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
    """Return what the preprocessor of the model in `folder` says, its class's defaults where it says nothing.

    Raises `OSError` without its file, `ValueError` for one that is no preprocessor of square pictures.
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
    """Return the side of the square that a preprocessor's size asks for."""
    height, width = (size.get(name) or size.get("shortest_edge") for name in ("height", "width"))
    if height is None or height != width:
        raise ValueError(f"its preprocessor's size is no square: {dict(size)}")
    return int(height)


def _offsets(slack: int, count: int) -> list[int]:
    """Return different whole numbers of 0 … `slack`, at most `count`: the middle, then from the ends inwards."""
    steps = count - count % 2  # an even number, so that the middle is among the ends of the steps
    inwards = sorted(range(steps + 1), key=lambda step: -abs(2 * step - steps))[:-1]
    return list(dict.fromkeys([slack // 2, *(slack * step // steps for step in inwards)]))[:count]
