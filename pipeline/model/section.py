"""The section `model` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Dropout, Positive


@dataclass(frozen=True, config=STRICT)
class AudioTower:
    """Convolutional front end and transformer over a window of log-mel."""

    window_seconds: Positive
    window_hop_seconds: Positive
    channels: Count
    blocks: Count
    width: Count
    layers: Count
    heads: Count
    head_width: Count
    feedforward: Count
    positions: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class QueryTower:
    """Fusion transformer over one token an input."""

    input_dropout: Dropout
    width: Count
    layers: Annotated[int, Field(ge=0)]
    heads: Count
    head_width: Count
    feedforward: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Projector:
    """Two-layer head of either tower."""

    hidden: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Model:
    """Widths, depths and the temperature, the same for all variants."""

    embed_dim: Count
    temperature: Positive
    max_logit_scale: Positive
    audio: AudioTower
    query: QueryTower
    projector: Projector
