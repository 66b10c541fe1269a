"""Tables of evaluated models, for a terminal of 100 columns or as JSON."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.apps.leaderboard.models import WORKSPACE, EvaluatedModel, EvaluationData
from pipeline.compare.wording import columns_beside, counted, number, pool_name, unit_noun

WIDTH = 100  # without a terminal
DIGEST = 8  # characters shown
WITH_INTERVAL = 2  # columns with an interval; others have the value alone


def groups(models: list[EvaluatedModel], metric: str) -> list[tuple[EvaluationData, list[EvaluatedModel]]]:
    """Return the models grouped by data, best first; the group with most models of the workspace is the first."""
    together: dict[EvaluationData, list[EvaluatedModel]] = {}
    for model in models:
        together.setdefault(model.data, []).append(model)
    sign = 1 if metric.endswith("_rank") else -1  # lower ranks are better
    ordered = [
        (data, sorted(found, key=lambda e: (metric not in e.metrics, sign * e.metrics.get(metric, 0.0))))
        for data, found in together.items()
    ]
    return sorted(ordered, key=lambda group: -sum(model.run == WORKSPACE for model in group[1]))


def print_tables(models: list[EvaluatedModel], metric: str, note: str, console: Console | None = None) -> None:
    """Print one table per group, that of the workspace first, and the note on MLflow."""
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
    first, *others = groups(models, metric)
    console.print(_table(*first, metric))
    if others:
        console.print("Other data, pool or unit: not comparable with the table above.\n", style="bold")
    for group in others:
        console.print(_table(*group, metric))
    console.print(note, markup=False, highlight=False)


def as_json(models: list[EvaluatedModel], metric: str) -> list[dict[str, Any]]:
    """Return one record per model, in the order of the tables."""
    return [
        {
            "variant": model.variant,
            "run": model.run,
            "changed": model.changed,
            **model.data._asdict(),
            "metrics": {
                name: {"value": model.metrics[name], **_ends(model, name)}
                for name in columns_beside(metric)
                if name in model.metrics
            },
        }
        for _, found in groups(models, metric)
        for model in found
    ]


def _table(data: EvaluationData, models: list[EvaluatedModel], metric: str) -> Table:
    pool = f" of {pool_name(data.pool)}" if data.pool else ""
    digest = f"data {data.dataset[:DIGEST]}" if data.dataset else "data unknown"
    title = (
        f"{counted(data.films, 'film')}, {counted(data.tracks, unit_noun(data.unit))}{pool}; {digest}; 95 % intervals"
    )
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", title_style="bold")
    table.add_column("variant", no_wrap=True)
    table.add_column("run", overflow="fold")
    table.add_column("changed", overflow="fold")
    names = columns_beside(metric)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for model in models:
        words = map(Text, (model.variant, model.run, model.changed))  # not markup, as [tags, plot] would be
        table.add_row(*words, *(_cell(model, n, names) for n in names))
    chance = [f"chance/{name}" for name in names]
    whole = next((model for model in models if all(name in model.metrics for name in chance)), None)
    if whole:
        table.add_section()
        cells = [f"{number(name, whole.metrics['chance/' + name])}{_blank(name, names)}" for name in names]
        table.add_row("chance", "", "", *cells, style="dim")
    return table


def _cell(model: EvaluatedModel, name: str, names: list[str]) -> str:
    if name not in model.metrics:
        return ""
    value, ends = number(name, model.metrics[name]), _ends(model, name)
    if not ends or name not in names[:WITH_INTERVAL]:
        return value
    return f"{value} {'–'.join(number(name, end) for end in ends.values()):>11}"


def _blank(name: str, names: list[str]) -> str:
    return " " * 12 if name in names[:WITH_INTERVAL] else ""


def _ends(model: EvaluatedModel, name: str) -> dict[str, float]:
    """Return the two ends of the interval of a metric; empty if it has no interval."""
    keys = {end: f"ci95_{end}/{name}" for end in ("low", "high")}
    known = all(key in model.metrics for key in keys.values())
    return {end: model.metrics[key] for end, key in keys.items()} if known else {}
