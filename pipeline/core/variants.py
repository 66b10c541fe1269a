"""The section `variants` of params.yaml: a row per variant, which says what its queries are made of."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.core.errors import ParamsError

TAKEN = "published"  # a folder of models/

Input = Literal["image", "tags", "plot", "tags_plot"]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]  # becomes a folder and a stage name


def _check_rows(variants: dict[str, list[Input]]) -> dict[str, list[Input]]:
    for name, inputs in variants.items():
        if len(set(inputs)) < len(inputs):
            raise ValueError(f"variants.{name}: an input is named twice in {inputs}")
        if name == TAKEN:
            raise ValueError(f"variants.{name}: models/{TAKEN} is what `publish` writes; choose another name")
    return variants


Variants = Annotated[dict[VariantName, Annotated[list[Input], Field(min_length=1)]], AfterValidator(_check_rows)]


def inputs_of(variants: Variants, variant: str) -> list[Input]:
    """Return what a query of `variant` is made of; raise `ParamsError` naming the variants that there are."""
    if variant not in variants:
        allowed = f"allowed are {', '.join(variants)} (the rows of `variants`)"
        raise ParamsError(f"variant: found {variant!r}, {allowed}")
    return variants[variant]
