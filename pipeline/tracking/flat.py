"""Parameters and metrics for MLflow: nested names flattened."""

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
)  # without the slices, which would be hundreds


def flat_params(params: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Return the parameters of `variant` by their dotted names; `params` is the content of params.yaml.

    `variants` is its own row, under the same name for all variants: a comparison of runs shows it in one line.
    """
    own = {name: section for name, section in params.items() if name != "variants"}
    return dict(flattened({**own, "variant": variant})) | {"variants": short_form(params["variants"][variant])}


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted names and values of nested mappings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a metrics file: averages by their names, others with a prefix.

    The prefixes are `chance/`, `ceiling/`, `segments/`, `recordings/`, `reference/`, `music_to_film/`, `hubness/`,
    `baselines/<name>/`, and `ci95_low/` and `ci95_high/` for the ends of an interval.
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
