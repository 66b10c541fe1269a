"""The comparison as data: `comparison.json` for programs, `comparison.csv` for spreadsheets, a table for the terminal,
and the tables of `dvc plots show`, one row per mark of the templates in `.dvc/plots`.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipeline.compare.results import FIXED, LOSSES, Result, answered_by_others, ranked
from pipeline.compare.significance import Difference, wins_of
from pipeline.compare.slices import summarise_slices
from pipeline.compare.wording import (
    ceiling,
    chance,
    columns_beside,
    counted,
    inputs_label,
    interval,
    metric_label,
    number,
    pool_label,
    signed,
)

APART = (*FIXED, "variant")  # keys of a metrics file that are not metrics
WIDTH = 100  # columns of the table if the output is not a terminal


def metric_names(metrics: dict[str, Any]) -> list[str]:
    """Return the names of the metrics in (a part of) a metrics file, in its order."""
    return [name for name, value in metrics.items() if name not in APART and isinstance(value, int | float)]


def summarise(results: list[Result], differences: list[Difference], metric: str) -> dict[str, Any]:
    """Return the content of `comparison.json`: variants and pairs in the order of `params.yaml`.

    `wins` lists the films on which a variant alone has the highest `metric`, `shared_wins` those on which it ties with
    some others, `no_winner` those on which all variants tie.
    """
    first, wins = results[0].metrics, wins_of(results, metric)
    return {
        "metric": metric,
        **{key: first[key] for key in FIXED},
        "best": ranked(results, metric)[0].variant,
        "chance": first["chance"],
        "ceiling": first["ceiling"],
        "variants": {
            result.variant: {
                "inputs": result.inputs,
                "method": result.method,
                **{name: result.metrics[name] for name in metric_names(result.metrics)},
                "ci95": result.metrics["ci95"],
                "segments": result.metrics["segments"],
                "recordings": result.metrics["recordings"],
                "music_to_film": result.metrics["music_to_film"],
                "hubness": result.metrics["hubness"],
                "baselines": result.metrics["baselines"],
                "answered_by_others": answered_by_others(result, results),
                **{name: result.metrics[name] for name in ("readable",) if name in result.metrics},
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
    """Return one row per variant: its inputs, all metrics, and the ends of their intervals, `<metric>_low`, `_high`.

    Prefixes: `music_to_film_` for the reverse direction, `hubness_` for hubness, a baseline's name for that baseline
    (`<baseline>_difference` is the variant minus the baseline), another variant's name for its model evaluated on this
    variant's inputs only, and `readable_` for all films that have the variant's inputs, if these are more than the
    compared ones.
    """
    rows = []
    for result in results:
        metrics = result.metrics
        row: dict[str, Any] = {"variant": result.variant, "inputs": " ".join(result.inputs)}
        row |= {name: metrics[name] for name in ("pool", "unit", "queries", "candidates", *metric_names(metrics))}
        row |= _ends(metrics["ci95"])
        other = metrics["music_to_film"]
        numbers = {name: value for name, value in other.items() if isinstance(value, int | float)}
        row |= {f"music_to_film_{name}": value for name, value in (numbers | _ends(other["ci95"])).items()}
        row |= {f"hubness_{name}": value for name, value in metrics["hubness"].items()}
        for baseline, figures in metrics["baselines"].items():
            low, mean, high = figures["difference"]
            numbers = {name: value for name, value in figures.items() if isinstance(value, int | float)}
            numbers |= {"difference": mean, "difference_low": low, "difference_high": high}
            row |= {f"{baseline}_{name}": value for name, value in numbers.items()}
        for other, figures in answered_by_others(result, results).items():
            row |= {f"{other}_{name}": value for name, value in figures.items() if isinstance(value, int | float)}
        figures = metrics.get("readable", {})
        row |= {f"readable_{name}": value for name, value in figures.items() if isinstance(value, int | float)}
        rows.append(row)
    return to_csv(dict.fromkeys(name for row in rows for name in row), rows)  # baselines differ between variants


def plot_tables(results: list[Result], metric: str) -> dict[str, str]:
    """Return the tables as CSV by name: `variants`, sorted by `metric`, and `learning`, one row per epoch."""
    return {
        "variants": to_csv(("variant", "value", "low", "high", "chance", "measure"), _variants(results, metric)),
        "learning": to_csv(("variant", *LOSSES), _learning(results)),
    }


def print_table(results: list[Result], metric: str, console: Console | None = None) -> None:
    """Print one row per variant with 95 % intervals, best first.

    Below each variant follow its baselines and other models on the same inputs; at the end chance and, unless it is 1,
    the best possible value.
    """
    first, names = results[0], columns_beside(metric)
    table = Table(
        title=f"{pool_label(first)}; with 95 % intervals", box=SIMPLE_HEAD, title_justify="left", title_style="bold"
    )
    table.add_column("variant", no_wrap=True)
    table.add_column("inputs")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for place, result in enumerate(ranked(results, metric)):
        cells = _cells(result.metrics, names)
        inputs = inputs_label(result.inputs) + ("" if result.method == "contrastive" else f" ({result.method})")
        table.add_row(result.variant, inputs, *cells, style="bold" if place == 0 else None)
        if figures := result.metrics.get("readable"):
            table.add_row("  all readable", counted(figures["queries"], "film"), *_cells(figures, names), style="dim")
        for baseline, figures in result.metrics["baselines"].items():
            table.add_row(
                f"  {baseline}", f"gain {signed(figures['difference'][1])}", *_cells(figures, names), style="dim"
            )
        for other, figures in answered_by_others(result, results).items():
            table.add_row(f"  {other}", "same inputs only", *_cells(figures, names), style="dim")
    table.add_section()
    padded = [f"{chance(first.metrics, name)} {'':>11}" for name in names]
    table.add_row("chance", "a random ranking", *padded, style="dim")
    if any(ceiling(first.metrics, name) for name in names):
        padded = [f"{ceiling(first.metrics, name)} {'':>11}" for name in names]
        table.add_row("best possible", "a perfect ranking", *padded, style="dim")
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
    console.print(table)


def _cells(metrics: dict[str, Any], names: list[str]) -> list[str]:
    return [f"{number(name, metrics[name])} {interval(metrics, name):>11}".rstrip() for name in names]


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
