"""The section `corpus` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Name

FieldName = Annotated[str, Field(pattern=r"^(id|wikipedia|soundtrack|title|year|tags|plot|image)$")]


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """The list of films, the site that the corpus serves, and the field names of the list."""

    folder: Name
    serve: Name | None
    contact: Name | None
    search: Annotated[str, Field(pattern=r"^ytsearch[1-9][0-9]*:.*\{title\}")]
    fields: dict[FieldName, Name]
