"""The section `corpus` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Name


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which films, and whether their site is served from the corpus itself."""

    folder: Name
    serve: Name | None
    contact: Name | None
    search: Annotated[str, Field(pattern=r"^ytsearch[1-9][0-9]*:.*\{title\}")]
