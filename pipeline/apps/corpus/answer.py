"""The answers of a wiki's `api.php?action=query`, held to their shape before anything is read from them.

Both forms of the format are understood: with `formatversion=2` pages are a list and flags are true; in the older one
pages are an object by number and a flag is an empty string.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

Flag = Annotated[bool, BeforeValidator(lambda value: True if value == "" else value)]
Title = Annotated[str, Field(max_length=2000)]  # titles have 255 bytes; invalid ones come back as they were sent


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Category(_Part):
    """A category of a page."""

    title: Title


class CategoryInfo(_Part):
    """How many members a category has, by kind."""

    pages: int
    subcats: int


class Page(_Part):
    """A page of a query, or as much of it as one answer holds."""

    title: Title
    ns: int = 0
    missing: Flag = False
    invalid: Flag = False
    invalidreason: str = ""
    categories: list[Category] = []
    pageprops: dict[str, Any] | list[Any] = {}  # PHP writes an empty object as a list
    categoryinfo: CategoryInfo | None = None


class Move(_Part):
    """One title that stands for another: normalised, or a redirect."""

    source: Title = Field(alias="from")
    target: Title = Field(alias="to")
    tofragment: str = ""


class Elsewhere(_Part):
    """A title that belongs to another wiki."""

    title: Title


class Query(_Part):
    """What was asked for."""

    pages: Annotated[
        list[Page], BeforeValidator(lambda pages: [*pages.values()] if isinstance(pages, dict) else pages)
    ] = []
    normalized: list[Move] = []
    redirects: list[Move] = []
    interwiki: list[Elsewhere] = []


class Trouble(_Part):
    """Why nothing was answered."""

    code: str
    info: str = ""
    lag: float | None = None  # seconds, with the code maxlag


class ApiAnswer(_Part):
    """A whole answer; `going_on` holds the parameters that ask for the rest."""

    batchcomplete: Flag = False
    going_on: dict[str, str | int] = Field(default={}, alias="continue")
    error: Trouble | None = None
    query: Query = Query()


class ShapeError(Exception):
    """Bytes that are no answer; the message says where they differ."""


def read_answer(data: bytes) -> ApiAnswer:
    """Return the answer in `data`; raise `ShapeError` when it is no JSON, or of another shape."""
    try:
        return _ANSWER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise ShapeError(f"{where}: {first['msg'][:120]}" if where else first["msg"][:120]) from None


_ANSWER = TypeAdapter(ApiAnswer)
