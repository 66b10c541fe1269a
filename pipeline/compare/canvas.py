"""What the comparison's figures are drawn on: SVG text, where the same drawing gives the same bytes.

Drawn small (a phone's width) in few colours, which the report swaps for its own; text stays text.
"""

import io
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, RULE, ACCENT, PAPER = "#1d2329", "#626b75", "#d9dcd6", "#8a3b12", "#fffefb"
WIDTH = 4.6  # inches
ROW = 0.34  # inches a row
MARGIN = 0.75  # inches for the axis below
STYLE = {
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


def to_svg(name: str, draw: Callable[[Figure], None]) -> str:
    """Return what `draw` puts on a figure as SVG whose ids depend on `name` alone."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def rows_of(figure: Figure, labels: Sequence[str]) -> Axes:
    """Return axes with a row a label, the first on top."""
    figure.set_size_inches(WIDTH, MARGIN + ROW * (len(labels) + 0.5))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -1)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
