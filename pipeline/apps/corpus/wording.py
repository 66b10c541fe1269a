"""Text formatting of the commands: counts, sizes, durations, columns and foreign text."""

from collections.abc import Iterable

from pipeline.core.text import one_line

MAX_SHOWN = 120  # characters of foreign text on a line
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
    """Return e.g. `26 minutes`, `1.5 days`: in the largest unit with a count of at least 1.5."""
    unit, length = next(((unit, length) for unit, length in DURATIONS if seconds >= 1.5 * length), DURATIONS[-1])
    count = seconds / length
    shown = f"{count:.1f}" if count < 10 and unit in ("day", "hour") else f"{count:.0f}"
    return f"{shown} {unit}" if shown == "1" else f"{shown} {unit}s"


def columns(rows: Iterable[tuple[str, ...]], width: int | None = None) -> list[str]:
    """Return one line per row, at most `width` long: printable cells, aligned, two spaces between columns."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(length) for cell, length in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [line if width is None or len(line) <= width else line[: width - 1] + "…" for line in lines]
