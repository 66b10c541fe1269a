"""The section `train` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.errors import ParamsError
from pipeline.core.fields import STRICT, Count, NotNegative, Positive, Seed, Share
from pipeline.model.section import Model


@dataclass(frozen=True, config=STRICT)
class Train:
    """The training loop."""

    seed: Seed
    encoders: Literal["frozen", "finetune"]
    init: Literal["random", "cca"]
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


def check_recipe(model: Model, train: Train) -> None:
    """Raise `ParamsError` with both keys for incompatible settings."""
    if train.init == "cca" and model.towers != "linear":
        raise ParamsError(
            f"train.init: found 'cca' (for linear towers) with model.towers: {model.towers!r}; set train.init to "
            "random, or model.towers to linear"
        )
    if train.encoders == "finetune" and model.towers != "paper":
        raise ParamsError(
            f"train.encoders: found 'finetune' with model.towers: {model.towers!r} (for frozen embeddings); set "
            "model.towers to paper, or train.encoders to frozen"
        )
