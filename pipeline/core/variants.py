"""The section `variants` of params.yaml: one row per variant, with the inputs of its queries.

A row is the list of inputs, or a mapping with settings: `{inputs: [tags, image], method: linear}`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from pipeline.core.errors import ParamsError
from pipeline.core.fields import STRICT, Dropout

TAKEN = "published"  # a folder of models/

Input = Literal["image", "tags", "plot", "tags_plot"]
INPUTS: tuple[Input, ...] = get_args(Input)
Method = Literal["contrastive", "linear"]
TagsRule = Literal["words", "categories"]  # the form of the tags
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]  # used as a folder and a stage name

PARTS: dict[Input, tuple[Input, ...]] = {"tags_plot": ("tags", "plot")}  # of composite inputs
FILM_PARTS = ("tags", "plot", "image")  # columns of films.parquet and of the data set


@dataclass(frozen=True, config=STRICT)
class Variant:
    """The inputs of a query, and the method of its model."""

    inputs: Annotated[list[Input], Field(min_length=1)]
    method: Method = "contrastive"  # or linear: fitted in closed form, without training
    drop_inputs: Dropout = 0.0  # probability of each input being dropped from a training example

    def __post_init__(self) -> None:
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs: an input occurs twice in {self.inputs}")

    @property
    def answers_subsets(self) -> bool:
        """Whether inputs of a query may be missing."""
        return self.drop_inputs > 0

    def reads(self, known: Collection[str]) -> bool:
        """Return whether a film with `known` (of tags, plot, image) can be a query."""
        found = (all(part in known for part in PARTS.get(name, (name,))) for name in self.inputs)
        return any(found) if self.answers_subsets else all(found)


def _check_names(variants: dict[str, Variant]) -> dict[str, Variant]:
    if TAKEN in variants:
        raise ValueError(f"variants.{TAKEN}: models/{TAKEN} is the output of `publish`; choose another name")
    return variants


def _row(row: Any) -> Any:
    return {"inputs": row} if isinstance(row, list) else row


Row = Annotated[Variant, BeforeValidator(_row)]
Variants = Annotated[dict[VariantName, Row], AfterValidator(_check_names)]


def variant_of(variants: Variants, name: str) -> Variant:
    """Return the row of a variant; raise `ParamsError` naming the known variants."""
    if name not in variants:
        allowed = f"allowed are {', '.join(variants)} (the rows of `variants`)"
        raise ParamsError(f"variant: found {name!r}, {allowed}")
    return variants[name]


def row_of(written: Any) -> Variant:
    """Return the row written in params.yaml, dvc.lock or a run; raise `ValueError` for anything else."""
    return written if isinstance(written, Variant) else TypeAdapter(Row).validate_json(json.dumps(written))


def short_form(written: Any) -> list[Input] | dict[str, Any]:
    """Return a row in its shortest form, equal for equivalent rows: inputs alone, or with settings."""
    row = row_of(written)
    settings = {name: value for name, value in asdict(row).items() if value != getattr(Variant, name, None)}
    return row.inputs if list(settings) == ["inputs"] else settings


def known_parts(film: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the `FILM_PARTS` of a film, a row of films.parquet or of the data set."""
    return tuple(part for part in FILM_PARTS if (film[part] or "").strip())


def apart(inputs: Iterable[Input]) -> list[Input]:
    """Return `inputs` with `tags_plot` split into its parts, for models with frozen encoders.

    Its markers `<DESCR>` and `<PLOT>` have a meaning only to a fine-tuned encoder.
    """
    return list(dict.fromkeys(part for name in inputs for part in PARTS.get(name, (name,))))
