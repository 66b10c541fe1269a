"""The comparison's figures: values with intervals, ranks, slices and learning curves, the best variant highlighted.

Figures are reproducible SVG (the same drawing gives the same bytes) of a phone's width. They use few colours, which
the report replaces with its own; text stays text.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from pipeline.compare.films import beginning
from pipeline.compare.results import Result, ranked
from pipeline.compare.slices import Slice, slices_to_compare
from pipeline.compare.wording import kind_label, metric_label, number, pool_label, unit_noun
from pipeline.evaluate.ranks import none_among_first

INK, MUTED, RULE, ACCENT, PAPER = "#1d2329", "#626b75", "#d9dcd6", "#8a3b12", "#fffefb"
WIDTH = 4.6  # inches
ROW = 0.34  # inches per row
MARGIN = 0.75  # inches for the axis below
LABEL_CHARACTERS = 20  # of a slice's name; more leave no room for the axis
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # thin line, thick line, dot
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "text.color": INK,
}


def draw_figures(results: list[Result], metric: str) -> dict[str, str]:
    """Return the figures `intervals`, `ranks`, `slices` and `learning` as SVG, variants sorted by `metric`."""
    drawings = {"intervals": _intervals, "ranks": _ranks, "slices": _slices, "learning": _learning}
    return {name: _to_svg(name, partial(draw, results=results, metric=metric)) for name, draw in drawings.items()}


def chance_quantiles(relevant: np.ndarray, candidates: int) -> list[int]:
    """Return the `QUANTILES` of the best rank under a random ranking, over films with `relevant` [n] tracks each."""
    numbers, counts = np.unique(relevant, return_counts=True)
    behind = sum(
        count * none_among_first(int(number), candidates) for number, count in zip(numbers, counts, strict=True)
    ) / len(relevant)  # [candidates + 1]: share of films without a hit among the first j
    return [int(np.argmax(behind <= 1 - quantile + 1e-12)) for quantile in QUANTILES]


def _intervals(figure: Figure, results: list[Result], metric: str) -> None:
    order = ranked(results, metric)
    axes = _rows_of(figure, [result.variant for result in order])
    _stand_out(axes, 0)
    for row, result in enumerate(order):
        value, ends = result.metrics[metric], result.metrics["ci95"][metric]
        colour = ACCENT if row == 0 else INK
        axes.plot(ends, [row, row], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(value, row, "D" if row == 0 else "o", color=colour, markersize=6.5)
    at = results[0].metrics["chance"][metric]
    axes.axvline(at, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"chance {number(metric, at)}", (at, -0.62), (4, 0), textcoords="offset points", color=MUTED, va="center"
    )
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{metric_label(metric)}, 95 % interval over films\n{pool_label(results[0])}")


def _ranks(figure: Figure, results: list[Result], metric: str) -> None:
    order, first = ranked(results, metric), results[0].rankings
    axes = _rows_of(figure, [*(result.variant for result in order), "chance"])
    _stand_out(axes, 0)
    candidates = int(first["candidates"].iloc[0])
    rows = [np.quantile(result.rankings["best_rank"], QUANTILES, method="inverted_cdf") for result in order]
    rows.append(chance_quantiles(first["relevant"].to_numpy(), candidates))
    for row, (low, quarter, middle, three_quarters, high) in enumerate(rows):
        colour = MUTED if row == len(order) else ACCENT if row == 0 else INK
        axes.plot([low, high], [row, row], color=colour, linewidth=1)
        axes.plot([quarter, three_quarters], [row, row], color=colour, linewidth=4, solid_capstyle="round")
        axes.plot(middle, row, "D" if row == 0 else "o", color=colour, markeredgecolor=PAPER, markersize=8)
    axes.get_yticklabels()[-1].set(color=MUTED, style="italic")
    axes.set_xscale("log")
    axes.set_xlim(0.85, candidates * 1.1)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    noun = unit_noun(results[0].metrics["unit"])
    axes.set_xlabel(f"rank of the film's best-ranked own {noun}\n{pool_label(results[0])}")


def _slices(figure: Figure, results: list[Result], metric: str) -> None:
    order = ranked(results, metric)
    rows: list[Slice | str] = []
    for kind, slices in slices_to_compare(results, metric).items():
        large = [part for part in slices if not part.small]
        rows += [kind_label(kind), *large] if large else []
    axes = _rows_of(figure, [_slice_label(row) for row in rows])
    for row, part in enumerate(rows):
        if isinstance(part, str):
            axes.get_yticklabels()[row].set(color=MUTED, fontsize=8.5)
            continue
        others = [part.values[result.variant] for result in order[1:]]
        axes.plot(others, [row] * len(others), "o", color=PAPER, markeredgecolor=MUTED, markersize=4.5, clip_on=False)
        best = order[0].variant
        if (ends := part.intervals[best]) is not None:
            axes.plot(ends, [row, row], color=ACCENT, linewidth=2, solid_capstyle="round")
        axes.plot(part.values[best], row, "D", color=ACCENT, markersize=6, clip_on=False)
        if part.chance is not None:
            axes.plot([part.chance] * 2, [row - 0.35, row + 0.35], color=MUTED, linewidth=1.5)
    if not rows:
        axes.text(0.5, 0.5, "all slices are too small to plot", transform=axes.transAxes, ha="center", color=MUTED)
    axes.tick_params(axis="y", pad=8)  # room for a ring at 0
    axes.set_xlim(0, None if rows else 1)
    axes.set_xlabel(f"{metric_label(metric)}, averaged over a slice\n{pool_label(results[0])}")


def _learning(figure: Figure, results: list[Result], metric: str) -> None:
    columns = min(2, len(results))
    rows = ceil(len(results) / columns)
    figure.set_size_inches(WIDTH, 0.5 + 1.1 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    best = ranked(results, metric)[0]
    for axes, result in zip(grid.flat, results, strict=False):
        epochs, train, valid = (
            [record[name] for record in result.history] for name in ("epoch", "train_loss", "valid_loss")
        )
        colour = ACCENT if result is best else INK
        axes.plot(epochs, train, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        axes.plot(epochs, valid, color=colour, linewidth=1.5)
        if epochs:
            lowest = int(np.nanargmin(valid)) if not np.isnan(valid).all() else 0
            axes.plot(epochs[lowest], valid[lowest], "o", color=colour, markersize=5)
        else:
            axes.text(0.5, 0.5, "no training history", transform=axes.transAxes, ha="center", color=MUTED, fontsize=9)
        axes.set_title(result.variant, loc="left", fontsize=9.5, fontweight="bold", color=colour, pad=3)
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.tick_params(labelcolor=MUTED)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3))
    for axes in list(grid.flat)[len(results) :]:
        axes.set_visible(False)
    for column in grid.T:
        bottom = [axes for axes in column if axes.get_visible()][-1]
        bottom.tick_params(labelbottom=True)
        bottom.set_xlabel("epoch")
    figure.supylabel("loss", color=MUTED, fontsize=9.5)


def _stand_out(axes: Axes, row: int) -> None:
    axes.get_yticklabels()[row].set(color=ACCENT, fontweight="bold")


def _slice_label(row: Slice | str) -> str:
    return row if isinstance(row, str) else f"{beginning(row.name, LABEL_CHARACTERS)} ({row.films:,})"


def _to_svg(name: str, draw: Callable[[Figure], None]) -> str:
    """Return the figure drawn by `draw` as SVG whose ids depend on `name` only."""
    settings: Any = {**STYLE, "svg.hashsalt": name}  # matplotlib types the keys as a Literal
    with matplotlib.rc_context(settings):
        figure = Figure(layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def _rows_of(figure: Figure, labels: Sequence[str]) -> Axes:
    """Return axes with one row per label, the first on top."""
    figure.set_size_inches(WIDTH, MARGIN + ROW * (len(labels) + 0.5))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -1)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
