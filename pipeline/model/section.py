"""The section `model` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Dropout, NotNegative, Positive

Towers = Literal["linear", "hidden", "paper"]


@dataclass(frozen=True, config=STRICT)
class AudioTower:
    """Windows of music, and the paper's convolutional front end and transformer over a log-mel window."""

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
    """The paper's fusion transformer over one token per input."""

    input_dropout: Dropout
    width: Count
    layers: Annotated[int, Field(ge=0)]
    heads: Count
    head_width: Count
    feedforward: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Projector:
    """The hidden layer of either tower's head."""

    hidden: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Model:
    """Kind and widths of the towers, and the temperature, the same for all variants."""

    embed_dim: Count
    temperature: Positive
    max_logit_scale: Positive
    towers: Towers
    components: Count
    noise: NotNegative
    audio: AudioTower
    query: QueryTower
    projector: Projector
