"""The HTML of the pages: templates in which whatever is put is text."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(name: str, **values: Any) -> str:
    """Return the page that the template `name` makes of `values`."""
    return _ENVIRONMENT.get_template(name).render(values)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
