"""One line of the doctor's table."""

from dataclasses import dataclass
from typing import Literal


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
