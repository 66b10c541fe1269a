"""The comparison's figures as SVG text: the same results give the same bytes.

Drawn small (a phone's width) in few colours, which the report swaps for its own; text stays text.
"""

import io
from collections.abc import Callable
from math import ceil

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from pipeline.compare.results import Result, ranked
from pipeline.compare.wording import metric_label, number
from pipeline.evaluate.chance import none_among_first

INK, MUTED, RULE, ACCENT, PAPER = "#1d2329", "#626b75", "#d9dcd6", "#8a3b12", "#fffefb"
WIDTH = 4.6  # inches
ROW = 0.34  # inches a variant
MARGIN = 0.75  # inches for the axis below
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # thin line, thick line, dot
STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.5,
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
    """Return the figures `intervals`, `ranks` and `learning` as SVG; rows are sorted by `metric`, best on top."""
    return {
        "intervals": _svg("intervals", _intervals, results, metric),
        "ranks": _svg("ranks", _ranks, results, metric),
        "learning": _svg("learning", _learning, results, metric),
    }


def chance_quantiles(relevant: np.ndarray, candidates: int) -> list[int]:
    """Return the `QUANTILES` of the best rank over films with `relevant` [n] tracks each under a random ranking."""
    numbers, counts = np.unique(relevant, return_counts=True)
    behind = sum(
        count * none_among_first(int(number), candidates) for number, count in zip(numbers, counts, strict=True)
    ) / len(relevant)  # [candidates + 1]: the share of films without a hit among the first j
    return [int(np.argmax(behind <= 1 - quantile + 1e-12)) for quantile in QUANTILES]


def _intervals(figure: Figure, results: list[Result], metric: str) -> None:
    order = ranked(results, metric)
    axes = _rows(figure, [result.variant for result in order])
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
    axes.set_xlabel(f"{metric_label(metric)}, 95 % interval over films")


def _ranks(figure: Figure, results: list[Result], metric: str) -> None:
    order, first = ranked(results, metric), results[0].rankings
    axes = _rows(figure, [*(result.variant for result in order), "chance"])
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
    axes.set_xlabel(f"rank of the film's best placed own track, of {candidates:,}")


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
            axes.text(0.5, 0.5, "not trained here", transform=axes.transAxes, ha="center", color=MUTED, fontsize=9)
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


def _rows(figure: Figure, labels: list[str]) -> Axes:
    figure.set_size_inches(WIDTH, MARGIN + ROW * (len(labels) + 0.5))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -1)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.get_yticklabels()[0].set(color=ACCENT, fontweight="bold")
    return axes


def _svg(name: str, draw: Callable[[Figure, list[Result], str], None], results: list[Result], metric: str) -> str:
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure, results, metric)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())
