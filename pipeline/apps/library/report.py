"""The summary of an indexing run, and its report on the terminal. Names are untrusted, and cleaned before printing."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.apps.library.duplicates import NAME as DUPLICATES
from pipeline.apps.library.duplicates import Duplicates
from pipeline.apps.library.identify import is_unchanged
from pipeline.apps.library.table import NAME, OK, PENDING, Row
from pipeline.apps.library.tags import clean
from pipeline.apps.recommend.trained import Model
from pipeline.core.tables import count_by_status
from pipeline.core.variants import FILM_PARTS

LISTED = 20  # unusable files
ASKED = {"tags": '--tags "..."', "plot": "--plot FILE", "image": "--image FILE"}  # options of `recommend`


class Changes(NamedTuple):
    """Numbers of files by their change since the last run."""

    new: int
    changed: int
    unchanged: int
    removed: int


@dataclass(frozen=True)
class Summary:
    """The result of an indexing run."""

    folder: Path  # of the music
    rows: list[Row]  # of `files.parquet`
    changes: Changes
    segments: dict[str, int]  # in the index of each model
    labels: dict[str, str]  # of each model
    option: str  # of `recommend`, to select these models
    needs: tuple[str, ...]  # inputs of the model with the fewest
    duplicates: Duplicates
    quality: str  # sentences on the metrics of the best model


def changes_of(rows: Sequence[Row], before: Mapping[str, Row]) -> Changes:
    """Return the changes; `before` has the files of the last run by path."""
    known = {path: row for path, row in before.items() if row["status"] != PENDING}
    there = [row for row in rows if row["path"] in known]
    unchanged = sum(is_unchanged(row, known) for row in there)
    removed = len(known.keys() - {row["path"] for row in rows})
    return Changes(len(rows) - len(there), len(there) - unchanged, unchanged, removed)


def summary_of(
    folder: Path,
    rows: list[Row],
    before: Mapping[str, Row],
    segments: Mapping[str, int],
    models: Sequence[Model],
    duplicates: Duplicates,
) -> Summary:
    """Return the result of a run; `before` has the files of the last run by path."""
    parts = list(ASKED)
    return Summary(
        folder=folder,
        rows=rows,
        changes=changes_of(rows, before),
        segments={model.name: segments[model.name] for model in models},
        labels={model.name: model.label for model in models},
        option=models[0].option,
        duplicates=duplicates,
        quality=quality_of(models),
        needs=min((model.needs for model in models), key=lambda needs: (len(needs), [parts.index(n) for n in needs])),
    )


def quality_of(models: Sequence[Model]) -> str:
    """Return sentences on the test metrics of the best of `models`."""
    known = [(figures, model) for model in models if (figures := model.figures_of(FILM_PARTS)) and figures.in_words]
    if not known:
        return "Retrieval quality has not been measured here."
    figures, model = max(known, key=lambda pair: pair[0].recall)
    best = " (the best of these)" if len(models) > 1 else ""
    return f"Retrieval quality of {model.label}{best}: {figures.in_words}. Results for other music may differ."


def report(summary: Summary, out: Path) -> list[str]:
    """Return the lines of the report on a library at `out`, the path given by the user."""
    rows, changes = summary.rows, summary.changes
    usable = sum(row["status"] == OK for row in rows)
    by_count: dict[int, list[str]] = {}
    for name, count in summary.segments.items():
        by_count.setdefault(count, []).append(clean(summary.labels[name]))
    segments = "; ".join(f"{count} segments for {', '.join(names)}" for count, names in by_count.items())
    lines = [
        clean(str(summary.folder)),
        f"  audio files: {len(rows)} ({count_by_status(rows)})",
        f"  since the last run: {changes.new} new, {changes.changed} changed, {changes.unchanged} unchanged, "
        f"{changes.removed} removed",
        f"  tracks: {usable}, in {segments}",
    ]
    if repeats := summary.duplicates.repeats:
        place = clean(str(out / DUPLICATES))
        lines.append(f"  duplicates: {repeats} files have the same music as others, by content or sound; see {place}")
    if usable < len(rows):
        lines += [f"Skipped files: {len(rows) - usable}", *troubles(rows, out)]
    lines.append(clean(summary.quality))
    given = " ".join([summary.option] * bool(summary.option) + [ASKED[part] for part in summary.needs])
    return [*lines, "Search it:", f"  python -m pipeline recommend --library {shlex.quote(str(out))} {given}"]


def troubles(rows: Sequence[Row], out: Path) -> list[str]:
    """Return one line per file that is not ok, at most `LISTED`, and where the others are listed."""
    wrong = [row for row in rows if row["status"] != OK]
    lines = [f"  {clean(row['path'])}: {row['status']}, {clean(row['reason'])}" for row in wrong[:LISTED]]
    rest = len(wrong) - LISTED
    return [*lines, f"  ... and {rest} more; see {clean(str(out / NAME))}"] if rest > 0 else lines
