"""The comparison on the terminal, readable at 100 columns."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipeline.compare.results import Result, ranked
from pipeline.compare.wording import chance, columns_beside, inputs_label, interval, number, pool_label

WIDTH = 100  # where no terminal says how wide it is


def print_table(results: list[Result], metric: str, console: Console | None = None) -> None:
    """Print a row a variant with 95 % intervals, best first, and chance as the last row."""
    first, names = results[0], columns_beside(metric)
    table = Table(
        title=f"{pool_label(first)}; with 95 % intervals", box=SIMPLE_HEAD, title_justify="left", title_style="bold"
    )
    table.add_column("variant", no_wrap=True)
    table.add_column("inputs")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for place, result in enumerate(ranked(results, metric)):
        cells = [
            f"{number(name, result.metrics[name])} {interval(result.metrics, name):>11}".rstrip() for name in names
        ]
        table.add_row(result.variant, inputs_label(result.inputs), *cells, style="bold" if place == 0 else None)
    table.add_section()
    padded = [f"{chance(first.metrics, name)} {'':>11}" for name in names]
    table.add_row("chance", "a random ranking", *padded, style="dim")
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
    console.print(table)
