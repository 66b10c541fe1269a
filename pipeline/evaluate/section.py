"""The section `evaluate` of params.yaml."""

from typing import Annotated, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, Seed

Unit = Literal["segment", "recording"]  # kind of candidates
Baseline = Literal["linear", "nearest"]
Baselines = list[Baseline]
ZERO_SHOT = "zero_shot"  # name of the joint encoder's baseline
UNITS: tuple[Unit, ...] = get_args(Unit)
HEADLINE = "recall_at_10"  # metric of the difference from baselines, if `ks` has it
INSTEAD = "mrr"


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """Metrics and their intervals."""

    pool: Literal["eval", "all"]
    paragraphs: Literal["mean", "first", "best"]
    unit: Unit
    ks: Annotated[list[Count], Field(min_length=1)]
    genres: list[Name]
    min_slice_films: Count
    bootstrap_samples: Count
    seed: Seed
    zero_shot: Name | None
