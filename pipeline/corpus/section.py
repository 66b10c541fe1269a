"""The section `corpus` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Name

FieldName = Annotated[str, Field(pattern=r"^(id|wikipedia|soundtrack|title|year|tags|plot|image)$")]


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which films, whether their site is served from the corpus itself, and what their list calls our fields."""

    folder: Name
    serve: Name | None
    contact: Name | None
    search: Annotated[str, Field(pattern=r"^ytsearch[1-9][0-9]*:.*\{title\}")]
    fields: dict[FieldName, Name]
