"""Recommendations on the terminal."""

from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.apps.recommend.formats import clock, plain, recording
from pipeline.apps.recommend.recommender import Answer
from pipeline.compare.wording import listed

WIDTH = 140  # where no terminal says how wide it is
SHOWN: dict[str, Callable[[float], str]] = {"start_seconds": clock, "seconds": "{:.1f}".format}


def model_message(answer: Answer) -> str:
    """Return which model answered, and why it."""
    model = answer.model
    found = model.recall_of(answer.given)
    recall = f" Recall at 10 in its evaluation: {found:.3f}." if found is not None else ""
    unused = f" Not used: {listed(list(answer.unused))}." if answer.unused else ""
    read = model.reads(answer.given) or model.needs
    return f"{model.label} reads {listed(list(read))}: {answer.chosen}.{recall}{unused}"


def print_table(answer: Answer, folder: Path) -> None:
    """Print the tracks as a table, after which model found them; a path is as one can open it from here."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(Text(model_message(answer)))
    if not answer.tracks:
        console.print("No track is left: exclude fewer films.")
        return
    parts = list(answer.tracks[0].get("without", {}))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rank", "score"):
        table.add_column(name, justify="right")
    for name in ("film or album", "track"):
        table.add_column(name, overflow="fold")
    for name in ("start", "seconds", *(f"without\n{part}" for part in parts)):
        table.add_column(name, justify="right")
    table.add_column("path", overflow="fold")
    for track in answer.tracks:
        year = f" ({track['year']})" if track["year"] is not None else ""
        name = recording(track) or f"{track['fid']}/{track['number']}"
        without = [f"{track['without'][part]['place']}. {track['without'][part]['score']:.3f}" for part in parts]
        cells = [str(track["rank"]), f"{track['score']:.3f}", f"{plain(track['film'])}{year}", name]
        cells += ["" if track[name] is None else show(track[name]) for name, show in SHOWN.items()]
        cells += without
        table.add_row(*map(Text, [*cells, plain(shown(folder / track["path"]))]))
    console.print(table)


def shown(path: Path) -> str:
    """Return a path from here, where it is below this folder."""
    resolved, here = path.resolve(), Path().resolve()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)
