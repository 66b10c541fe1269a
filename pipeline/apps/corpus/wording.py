"""How the commands write things: numbers of things, sizes, durations, columns, and other people's text."""

from collections.abc import Iterable

MAX_SHOWN = 120  # characters of other people's text on a line
DURATIONS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def number(count: int, thing: str) -> str:
    """Return e.g. `1 film`, `7,771 films`, `2 searches`."""
    plural = thing + ("es" if thing.endswith(("s", "ch")) else "s")
    return f"{count:,} {thing if count == 1 else plural}"


def size(count: int) -> str:
    """Return e.g. `120 MB`, `1.5 GB`."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1_000_000 else f"{count / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """Return e.g. `26 minutes`, `1.5 days`: in the largest unit of which there are at least 1.5."""
    unit, length = next(((unit, length) for unit, length in DURATIONS if seconds >= 1.5 * length), DURATIONS[-1])
    count = seconds / length
    shown = f"{count:.1f}" if count < 10 and unit in ("day", "hour") else f"{count:.0f}"
    return f"{shown} {unit}" if shown == "1" else f"{shown} {unit}s"


def columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a line a row, the cells of a column below each other, two spaces between; the last column is ragged."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def plain(text: str) -> str:
    """Return `text` printable and of at most 120 characters, e.g. of a URL that somebody else wrote."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"
