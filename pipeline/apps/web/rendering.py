"""The HTML of the pages: templates in which whatever is put is text."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape


def render(name: str, **values: Any) -> str:
    """Return the page that the template `name` makes of `values`."""
    return _ENVIRONMENT.get_template(name).render(values)


def ticked(text: str) -> Markup:
    """Return `text` as HTML in which what stands between backticks is code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup().join(Markup("<code>{}</code>").format(p) if place % 2 else p for place, p in enumerate(pieces))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["ticked"] = ticked
