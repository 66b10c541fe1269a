"""The section `parse` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Share
from pipeline.core.variants import TagsRule


@dataclass(frozen=True, config=STRICT)
class Parse:
    """Extraction of films from pages."""

    tags: TagsRule
    missing: Literal["leave_out", "placeholder"]
    short_side: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=95)]
    max_pixels: Count
    min_success_rate: Share
