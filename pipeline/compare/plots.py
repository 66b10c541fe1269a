"""The tables behind `dvc plots show`, a row a mark of the templates in `.dvc/plots`."""

from collections.abc import Iterator
from typing import Any

from pipeline.compare.results import LOSSES, Result, ranked
from pipeline.compare.summary import to_csv
from pipeline.compare.wording import metric_label, pool_label


def plot_tables(results: list[Result], metric: str) -> dict[str, str]:
    """Return the tables as CSV by name: `variants` (sorted by `metric`) and `learning` (a row an epoch)."""
    return {
        "variants": to_csv(("variant", "value", "low", "high", "chance", "measure"), _variants(results, metric)),
        "learning": to_csv(("variant", *LOSSES), _learning(results)),
    }


def _variants(results: list[Result], metric: str) -> Iterator[dict[str, Any]]:
    for result in ranked(results, metric):
        low, high = result.metrics["ci95"][metric]
        yield {
            "variant": result.variant,
            "value": result.metrics[metric],
            "low": low,
            "high": high,
            "chance": result.metrics["chance"][metric],
            "measure": f"{metric_label(metric)}: {pool_label(result)}",
        }


def _learning(results: list[Result]) -> Iterator[dict[str, Any]]:
    for result in results:
        for record in result.history:
            yield {"variant": result.variant, **record, "epoch": int(record["epoch"])}
