"""Parameters and metrics as MLflow keeps them: one level of names."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.variants import short_form

PREFIXED = (
    "chance",
    "ceiling",
    "segments",
    "recordings",
    "reference",
    "music_to_film",
    "hubness",
)  # the slices would be hundreds


def flat_params(params: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Return the parameters behind `variant` by their dotted names; `params` is the content of params.yaml.

    `variants` is its own row, under one name for all variants, so that runs side by side show it in one line.
    """
    own = {name: section for name, section in params.items() if name != "variants"}
    return dict(flattened({**own, "variant": variant})) | {"variants": short_form(params["variants"][variant])}


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings with their dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a metrics file: averages as they are called there, the others behind a prefix.

    The prefixes are `chance/`, `ceiling/`, `segments/`, `recordings/`, `reference/`, `music_to_film/`, `hubness/`,
    `baselines/<name>/`, and for the ends of an interval `ci95_low/` and `ci95_high/`.
    """
    found = _numbers(metrics)
    for name in PREFIXED:
        found |= _numbers(metrics.get(name, {}), f"{name}/")
    for name, figures in metrics.get("baselines", {}).items():
        found |= _numbers(figures, f"baselines/{name}/")
        found[f"baselines/{name}/difference"] = float(figures["difference"][1])
    for place, end in enumerate(("low", "high")):
        found |= {f"ci95_{end}/{name}": float(interval[place]) for name, interval in metrics.get("ci95", {}).items()}
    return found


def _numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    return {
        prefix + name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
