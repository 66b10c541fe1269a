"""The section `split` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Seed, Share


@dataclass(frozen=True, config=STRICT)
class Split:
    """The films of the data set, and the share of each split."""

    films: Literal["all", "complete"]
    given: Annotated[str, Field(min_length=1)] | None
    others: Literal["assign", "leave_out"]
    train: Share
    valid: Share
    eval: Share
    seed: Seed

    def __post_init__(self) -> None:
        total = self.train + self.valid + self.eval
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"train + valid + eval must be 1, found {total:g}")
