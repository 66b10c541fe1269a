"""Fine-tuned text and image encoders inside a model, built from their settings without files or network access.

Settings are JSON in the model's `config.json`: the network's configuration, its pooling, and the tokenizer or image
preprocessing. Before training, the vectors equal those of the frozen encoders.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.core.errors import ModelError
from pipeline.encoders.image import TOWERS, ImageEncoder, efficientnet, image_poolings, load_image_encoder
from pipeline.encoders.pretrained import IGNORED_SETTINGS, quiet
from pipeline.encoders.section import ImageFeatures, TextFeatures
from pipeline.encoders.sentence import Dense
from pipeline.encoders.text import TextEncoder, load_text_encoder, text_vectors

CPU = torch.device("cpu")
MARKS = ("<DESCR>", "<PLOT>")  # of the text `tags_plot`, added to the vocabulary as in the published method
EFFICIENTNET = "efficientnet"  # a model type that transformers lacks

Settings = dict[str, Any]


class TextNetwork(nn.Module):
    """Text encoder: one vector per text from its tokens."""

    def __init__(self, network: nn.Module, dense: Dense, settings: Settings) -> None:
        super().__init__()
        self.network, self.dense = network, dense
        self.pooling, self.normalised = settings["pooling"], settings["normalised"]

    def forward(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Return [n, f] of `input_ids` and `attention_mask`, int64 [n, l]; the mask is 0 for padding."""
        output = self.network(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return text_vectors(output, tokens["attention_mask"], self.pooling, self.dense, self.normalised)


class ImageNetwork(nn.Module):
    """Image encoder: one vector per image from its pixels."""

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.network, self.pooling = network, settings["pooling"]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return [n, f] of normalised `pixels` [n, 3, size, size]."""
        return image_poolings(self.network, self.pooling == "pooler", pixels)[self.pooling]()


def load_tuned(
    kinds: Iterable[str], text: TextFeatures, image: ImageFeatures, marks: bool
) -> tuple[dict[str, nn.Module], Settings]:
    """Return the pretrained networks of `kinds` (text, image), and the settings to rebuild them.

    With `marks` the marks of the text `tags_plot` are added to the vocabulary, with vectors to be learned.
    """
    networks: dict[str, nn.Module] = {}
    settings: Settings = {}
    for kind in kinds:
        if kind == "text":
            encoder: Any = load_text_encoder(text, CPU, 1)
            settings[kind] = text_settings(encoder, marks)
            networks[kind] = TextNetwork(encoder.model, encoder.dense, settings[kind])
        else:
            encoder = load_image_encoder(image, CPU, 1)
            settings[kind] = image_settings(encoder, image.crops)
            networks[kind] = ImageNetwork(encoder.model, settings[kind])
        networks[kind].train()
    return networks, settings


def build_tuned(kind: str, settings: Settings) -> nn.Module:
    """Return the network of `settings` with random weights; raise `ModelError` for an unknown model type."""
    with quiet():
        network = _network(settings["config"])
    if kind == "text":
        return TextNetwork(network, Dense(settings.get("dense", [])), settings)
    return ImageNetwork(network, settings)


def text_settings(encoder: TextEncoder, marks: bool) -> Settings:
    """Return the settings of a text encoder; `marks` adds the marks to its vocabulary."""
    tokenizer = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelError(
            f"features.text.encoder: found {encoder.spec['encoder']!r}, which has no fast tokenizer for fine-tuning; "
            "name another, or set train.encoders to frozen"
        )
    if marks:
        encoder.tokenizer.add_tokens(list(MARKS), special_tokens=True)
        if len(encoder.tokenizer) > encoder.model.config.vocab_size:
            with quiet():
                encoder.model.resize_token_embeddings(len(encoder.tokenizer))
    names = ("pooling", "normalised", "lower_case", "max_tokens")
    prompt, dense = encoder.spec.get("prompt"), encoder.dense.settings
    return {
        "encoder": encoder.spec["encoder"],
        "revision": encoder.spec["revision"],
        "width": encoder.width,
        "config": _settings_of(encoder.model),
        **{name: encoder.spec[name] for name in names},
        **({"prompt": prompt} if prompt else {}),
        **({"dense": dense} if dense else {}),
        "padding": encoder.tokenizer.pad_token_id,
        "tokenizer": tokenizer.to_str(),
    }


def image_settings(encoder: ImageEncoder, crops: int) -> Settings:
    """Return the settings of an image encoder; training samples one of `crops` squares of a poster."""
    return {
        "encoder": encoder.spec["encoder"],
        "revision": encoder.spec["revision"],
        "width": encoder.width,
        "config": _settings_of(encoder.model),
        "pooling": encoder.spec["pooling"],
        "crops": crops,
        "preparation": asdict(encoder.preparation),
    }


def _settings_of(network: Any) -> Settings:
    if not hasattr(network, "config"):
        return {"model_type": EFFICIENTNET}
    return {name: value for name, value in network.config.to_dict().items() if name not in IGNORED_SETTINGS}


def _network(settings: Settings) -> nn.Module:
    kind = str(settings.get("model_type"))
    if kind == EFFICIENTNET:
        return efficientnet()
    import transformers

    if kind not in transformers.CONFIG_MAPPING:
        raise ModelError(f"an encoder has model_type {kind!r}, unknown to transformers {transformers.__version__}")
    config = transformers.CONFIG_MAPPING[kind].from_dict(settings)
    if kind in TOWERS:
        return getattr(transformers, TOWERS[kind][0])(config)
    return transformers.AutoModel.from_config(config)
