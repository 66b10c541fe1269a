"""The comparison as data: `comparison.json` for programs, `comparison.csv` for spreadsheets."""

import csv
import io
from typing import Any

from pipeline.compare.results import FIXED, Result, ranked
from pipeline.compare.significance import Difference

APART = (*FIXED, "variant")  # of a metrics file: what is no metric


def metric_names(result: Result) -> list[str]:
    """Return the names of the numbers in a metrics file that are metrics, in its order."""
    return [name for name, value in result.metrics.items() if name not in APART and isinstance(value, int | float)]


def summarise(results: list[Result], differences: list[Difference], metric: str) -> dict[str, Any]:
    """Return the content of `comparison.json`: variants and pairs in the order of `params.yaml`."""
    first = results[0].metrics
    return {
        "metric": metric,
        **{key: first[key] for key in FIXED},
        "best": ranked(results, metric)[0].variant,
        "chance": first["chance"],
        "variants": {
            result.variant: {
                "inputs": result.inputs,
                **{name: result.metrics[name] for name in metric_names(result)},
                "ci95": result.metrics["ci95"],
            }
            for result in results
        },
        "differences": [
            {
                "first": pair.first,
                "second": pair.second,
                "difference": pair.mean,
                "ci95": [pair.low, pair.high],
                "p": pair.p,
                "p_holm": pair.p_holm,
                "real": pair.real,
            }
            for pair in differences
        ],
    }


def csv_table(results: list[Result]) -> str:
    """Return a row a variant: its inputs, all its metrics, and the ends of their intervals, `<metric>_low`, `_high`."""
    rows = []
    for result in results:
        row = {"variant": result.variant, "inputs": " ".join(result.inputs)}
        row |= {name: result.metrics[name] for name in ("queries", "candidates", *metric_names(result))}
        for name, (low, high) in result.metrics["ci95"].items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
