"""The comparison as data: `comparison.json` for programs, `comparison.csv` for spreadsheets."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from pipeline.compare.results import FIXED, Result, ranked
from pipeline.compare.significance import Difference
from pipeline.compare.slices import summarise_slices
from pipeline.compare.wins import wins_of

APART = (*FIXED, "variant")  # of a metrics file: what is no metric


def metric_names(metrics: dict[str, Any]) -> list[str]:
    """Return the names of the numbers in (a part of) a metrics file that are metrics, in its order."""
    return [name for name, value in metrics.items() if name not in APART and isinstance(value, int | float)]


def summarise(results: list[Result], differences: list[Difference], metric: str) -> dict[str, Any]:
    """Return the content of `comparison.json`: variants and pairs in the order of `params.yaml`.

    `wins` are the films on which a variant alone has the highest `metric`, `shared_wins` those on which some variants
    share it, `no_winner` those on which all have the same.
    """
    first, wins = results[0].metrics, wins_of(results, metric)
    return {
        "metric": metric,
        **{key: first[key] for key in FIXED},
        "best": ranked(results, metric)[0].variant,
        "chance": first["chance"],
        "variants": {
            result.variant: {
                "inputs": result.inputs,
                **{name: result.metrics[name] for name in metric_names(result.metrics)},
                "ci95": result.metrics["ci95"],
                "music_to_film": result.metrics["music_to_film"],
                "hubness": result.metrics["hubness"],
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
        "wins": wins.alone,
        "shared_wins": wins.shared,
        "no_winner": wins.same,
        "slices": summarise_slices(results, metric),
    }


def csv_table(results: list[Result]) -> str:
    """Return a row a variant: its inputs, all its metrics, and the ends of their intervals, `<metric>_low`, `_high`.

    The metrics of the other direction begin with `music_to_film_`, those of hubs with `hubness_`.
    """
    rows = []
    for result in results:
        metrics = result.metrics
        row = {"variant": result.variant, "inputs": " ".join(result.inputs)}
        row |= {name: metrics[name] for name in ("pool", "queries", "candidates", *metric_names(metrics))}
        row |= _ends(metrics["ci95"])
        other = metrics["music_to_film"]
        numbers = {name: value for name, value in other.items() if isinstance(value, int | float)}
        row |= {f"music_to_film_{name}": value for name, value in (numbers | _ends(other["ci95"])).items()}
        row |= {f"hubness_{name}": value for name, value in metrics["hubness"].items()}
        rows.append(row)
    return to_csv(rows[0], rows)


def to_csv(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return `rows` as CSV with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _ends(intervals: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{name}_{end}": value
        for name, ends in intervals.items()
        for end, value in zip(("low", "high"), ends, strict=True)
    }
