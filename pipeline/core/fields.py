"""The field types of the sections of `params.yaml`, and loading and validation of sections.

A section is a frozen dataclass in the package that owns it: one field per key, no defaults. Units are in the comments
of `params.yaml`. Relations between the values of a section are checked in its `__post_init__`. The file is read as
YAML 1.2, as by DVC. Unknown, missing and mistyped keys are errors that give the dotted name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.core.errors import ParamsError

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(min_length=1)]

ADVICE = {  # by pydantic's name of the error
    "unexpected_keyword_argument": "unknown key; remove it or correct its spelling",
    "missing": "missing key; see the project's own params.yaml",
}


def read_params(path: Path) -> dict[str, Any]:
    """Return the content of `params.yaml`, not validated; raise `ParamsError` if it is not a YAML mapping."""
    from ruamel.yaml import YAML  # not needed for a model outside the repository
    from ruamel.yaml.error import YAMLError

    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run this command in the repository's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} must contain keys with values, found {raw!r}")
    return raw


def load_sections(path: Path, shapes: Mapping[str, Any]) -> list[Any]:
    """Return the sections of `path` in the order of `shapes`, which maps a section's dotted name to its type.

    The name "" is the whole file. Other sections are ignored. Raises `ParamsError` naming each invalid key.
    """
    raw = read_params(path)
    values, problems = [], []
    for name, shape in shapes.items():
        section: Any = raw
        for key in name.split(".") if name else ():
            section = section.get(key, _MISSING) if isinstance(section, dict) else _MISSING
        if section is _MISSING:
            problems.append(f"{name}: {ADVICE['missing']}")
            continue
        try:  # as JSON: strict mode accepts JSON objects for dataclasses
            values.append(TypeAdapter(shape).validate_json(json.dumps(section, default=str)))
        except ValidationError as error:
            problems += [_describe(item, name) for item in error.errors()]
    if problems:
        raise ParamsError("\n".join(f"{path.name}: {problem}" for problem in problems))
    return values


def _describe(item: Any, prefix: str) -> str:
    """Return the message for an invalid key; parts of its location in angle brackets are union members, not keys."""
    key = ".".join(part for part in (prefix, *map(str, item["loc"])) if part and not part.startswith("<"))
    if item["type"] in ADVICE:
        return f"{key}: {ADVICE[item['type']]}"
    if item["type"] == "value_error":  # from __post_init__, whose messages name the key
        message = str(item["ctx"]["error"])
        return message if message.startswith(key) else f"{key}: {message}"
    return f"{key}: found {item['input']!r} ({type(item['input']).__name__}), {item['msg'].removeprefix('Input ')}"


_MISSING = object()
