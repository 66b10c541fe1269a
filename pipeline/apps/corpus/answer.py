"""The answers of a wiki's `api.php?action=query`, validated before use.

Both versions of the format are accepted: with `formatversion=2` pages are a list and flags are true; in version 1 pages
are an object by number and a flag is an empty string.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

Flag = Annotated[bool, BeforeValidator(lambda value: True if value == "" else value)]
Title = Annotated[str, Field(max_length=2000)]  # titles have at most 255 bytes; invalid ones are returned unchanged


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Category(_Part):
    """A category of a page."""

    title: Title


class CategoryInfo(_Part):
    """Number of members of a category, by kind."""

    pages: int
    subcats: int


class Page(_Part):
    """A page, or the part of it in one answer."""

    title: Title
    ns: int = 0
    missing: Flag = False
    invalid: Flag = False
    invalidreason: str = ""
    categories: list[Category] = []
    pageprops: dict[str, Any] | list[Any] = {}  # PHP writes an empty object as a list
    categoryinfo: CategoryInfo | None = None


class Move(_Part):
    """A title mapped to another: normalised, or a redirect."""

    source: Title = Field(alias="from")
    target: Title = Field(alias="to")
    tofragment: str = ""


class Elsewhere(_Part):
    """A title of another wiki."""

    title: Title


class Query(_Part):
    """The results of a query."""

    pages: Annotated[
        list[Page], BeforeValidator(lambda pages: [*pages.values()] if isinstance(pages, dict) else pages)
    ] = []
    normalized: list[Move] = []
    redirects: list[Move] = []
    interwiki: list[Elsewhere] = []


class Trouble(_Part):
    """An error of the API."""

    code: str
    info: str = ""
    lag: float | None = None  # seconds, with the code maxlag


class ApiAnswer(_Part):
    """A whole answer; `going_on` has the parameters of the request for the next part."""

    batchcomplete: Flag = False
    going_on: dict[str, str | int] = Field(default={}, alias="continue")
    error: Trouble | None = None
    query: Query = Query()


class ShapeError(Exception):
    """Bytes that are not a valid answer; the message names the first difference."""


def read_answer(data: bytes) -> ApiAnswer:
    """Return the answer in `data`; raise `ShapeError` if it is not JSON, or of another shape."""
    try:
        return _ANSWER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise ShapeError(f"{where}: {first['msg'][:120]}" if where else first["msg"][:120]) from None


_ANSWER = TypeAdapter(ApiAnswer)
