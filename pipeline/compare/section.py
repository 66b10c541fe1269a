"""The section `compare` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, Positive


@dataclass(frozen=True, config=STRICT)
class Compare:
    """The comparison and its report."""

    metric: Name
    permutations: Count
    films: Count
    excerpt_seconds: Positive
    excerpt_bit_rate: Annotated[int, Field(ge=8000, le=160000)]
    max_audio_bytes: Count
