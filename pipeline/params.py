"""`params.yaml`, whole: read as YAML 1.2, as DVC reads it, and checked against the dataclasses of its sections.

Unknown, missing and mistyped keys are refused by their dotted name.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError
from pipeline.sections import (
    STRICT,
    Compare,
    Corpus,
    Download,
    Evaluate,
    Features,
    Input,
    Model,
    Parse,
    Recommend,
    Scrape,
    Segment,
    Split,
    Train,
)

ADVICE = {  # by pydantic's name of the error
    "unexpected_keyword_argument": "unknown key; remove it or mend its spelling",
    "missing": "missing key; see the params.yaml that comes with the project",
}
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]  # becomes a folder and a stage name
TAKEN = "published"  # a folder of models/


@dataclass(frozen=True, config=STRICT)
class Params:
    """All of `params.yaml`."""

    variant: str
    variants: dict[VariantName, Annotated[list[Input], Field(min_length=1)]]
    device: Literal["auto", "cpu", "cuda"]
    corpus: Corpus
    scrape: Scrape
    parse: Parse
    download: Download
    segment: Segment
    split: Split
    features: Features
    model: Model
    train: Train
    evaluate: Evaluate
    compare: Compare
    recommend: Recommend

    def __post_init__(self) -> None:
        for name, inputs in self.variants.items():
            if len(set(inputs)) < len(inputs):
                raise ValueError(f"variants.{name}: an input is named twice in {inputs}")
            if name == TAKEN:
                raise ValueError(f"variants.{name}: models/{TAKEN} is what `publish` writes; choose another name")
        if self.variant not in self.variants:
            raise ValueError(self._unknown(self.variant))

    def inputs(self, variant: str) -> list[Input]:
        """Return what a query of `variant` is made of; raise `ParamsError` naming the variants that there are."""
        if variant not in self.variants:
            raise ParamsError(self._unknown(variant))
        return self.variants[variant]

    def _unknown(self, variant: str) -> str:
        return f"variant: found {variant!r}, allowed are {', '.join(self.variants)} (the rows of `variants`)"


def load_params(path: Path) -> Params:
    """Return the parameters in `path`; raise `ParamsError` naming every wrong key."""
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run this from the repository's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    try:
        return TypeAdapter(Params).validate_json(json.dumps(raw, default=str))  # strict, yet objects for dataclasses
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path.name}: {_describe(item)}" for item in error.errors())) from None


def _describe(item: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] in ADVICE:
        return f"{key}: {ADVICE[item['type']]}"
    if item["type"] == "value_error":  # raised in __post_init__, which names its keys itself
        return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
    return f"{key}: found {item['input']!r} ({type(item['input']).__name__}), {item['msg'].removeprefix('Input ')}"
