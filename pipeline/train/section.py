"""The section `train` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, NotNegative, Positive, Seed, Share


@dataclass(frozen=True, config=STRICT)
class Train:
    """The training loop."""

    seed: Seed
    encoders: Literal["frozen", "finetune"]
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    micro_batch_size: Annotated[int, Field(ge=4)] | None
    sampler: Literal["films", "tracks"]
    shuffle: bool
    same_film: Literal["masked", "positives", "negatives"]
    optimizer: Literal["adamw", "adam"]
    learning_rate: Positive
    encoder_learning_rate: Positive
    schedule: Literal["cosine", "plateau", "plateau-reversed"]
    warmup: Share
    plateau_epochs: Count
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)]
    weight_decay: NotNegative
    max_grad_norm: Positive | None
    monitor: Literal["loss", "recall_at_10"]
    patience: Count | None
    valid_draws: Count
    precision: Literal["auto", "float32", "bfloat16"]
    deterministic: bool
    threads: Count
