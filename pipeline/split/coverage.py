"""How much of the corpus has come through, and where each film and recording was lost: metrics/coverage.json.

Read off the stages' tables alone, so the same tables give the same bytes. A table that is missing, or of another
schema, leaves its keys out; one that an earlier list of films left behind counts as it stands, and a note says so.

films_asked            films of pages.parquet, else of the first table that is there
pages_fetched          films whose page is here, or that need none
posters_fetched
films_with_image, films_with_plot, films_with_tags   of films.parquet, usable or not; a placeholder does not count
films_complete         parse found plot, poster and tags, or filled them in
films_usable           it found one of them at least
films_with_audio       at least one recording is whole
films_with_segments
films_in_data_set      usable, with segments, and not left out by `split`
shared_recordings      groups of films of the data set that share a recording, and so a side of the split
films_sharing          films of those groups
recordings_asked       rows of downloads.parquet: the recordings of a playlist or a search count each
recordings_ok
minutes_downloaded     decoded length of the recordings that are whole
segments, minutes_of_segments
lost_films             {stage or "split": {status: LOSS}}: every film outside the data set once, at its first cause
losses                 {stage or "posters": {status: LOSS}}: every row that is not ok, of each table by itself
notes                  tables that do not fit together

A LOSS is {"count": 3, "films": ["AAB", …], "reason": "HTTP 404 …"}: up to five films and the first one's reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import MissingFileError
from pipeline.core.files import write_json
from pipeline.core.tables import DOWNLOADS, FILMS, PAGES, SEGMENTS, read_table
from pipeline.core.text import one_line
from pipeline.core.variants import known_parts
from pipeline.split.dataset import USABLE, LeftOut

PATH = Path("metrics/coverage.json")  # below the root
STAGES = {"scrape": "pages", "parse": "films", "download": "downloads", "segment": "segments"}  # and their tables
SCHEMAS = {"pages": PAGES, "films": FILMS, "downloads": DOWNLOADS, "segments": SEGMENTS}
GOT = ("ok", "given")
SMALLER = ("posters", "download", "segment")  # losses that need not lose a film
EXAMPLES = 5  # films named with a loss
WIDTH = 100  # characters of a line of the report

Row = dict[str, Any]
Loss = dict[str, Any]
Losses = dict[str, dict[str, Loss]]


def report(root: Path, left_out: LeftOut, shared: Sequence[Sequence[str]]) -> str:
    """Write metrics/coverage.json of the tables that are there and return it as text, lines of at most 100 characters.

    An old or missing table is left out. `left_out` are the films that `split` leaves out, with status and reason, and
    `shared` the groups of films that share a recording.
    """
    coverage = measure({name: _rows(root, stage, name) for stage, name in STAGES.items()}, left_out, shared)
    write_json(root / PATH, coverage)
    return as_text(coverage)


def measure(
    tables: Mapping[str, list[Row] | None], left_out: LeftOut, shared: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return what metrics/coverage.json holds; `tables` are the rows of pages, films, downloads, segments, or None."""
    pages, films, downloads, segments = (tables[name] for name in SCHEMAS)
    asked = next((_films(rows) for rows in (pages, films, downloads, segments) if rows is not None), [])
    coverage: dict[str, Any] = {"films_asked": len(asked)}
    losses: Losses = {}
    if pages is not None:
        coverage["pages_fetched"] = _got(pages)
        coverage["posters_fetched"] = sum(page["poster_status"] in GOT for page in pages)
        losses["scrape"] = _by_status((row["fid"], row["status"], row["reason"]) for row in pages)
        posters = ((row["fid"], row["poster_status"], row["poster_reason"]) for row in pages if row["poster_status"])
        losses["posters"] = _by_status(posters)
    if films is not None:
        for field in ("image", "plot", "tags"):
            coverage[f"films_with_{field}"] = sum(
                bool(film[field]) and field not in film["placeholders"] for film in films
            )
        coverage |= {"films_complete": _got(films), "films_usable": sum(map(_is_usable, films))}
        losses["parse"] = _by_status((row["fid"], row["status"], row["reason"]) for row in films)
    if downloads is not None:
        whole = [row for row in downloads if row["status"] in GOT]
        coverage["films_with_audio"] = len(_films(whole))
        coverage |= {"recordings_asked": len(downloads), "recordings_ok": len(whole)}
        coverage["minutes_downloaded"] = _minutes(row["decoded_seconds"] for row in whole)
        losses["download"] = _by_status((row["fid"], row["status"], row["reason"]) for row in downloads)
    if segments is not None:
        cut = [row for row in segments if row["status"] in GOT]
        coverage |= {"films_with_segments": len(_films(cut)), "segments": len(cut)}
        coverage["minutes_of_segments"] = _minutes(row["seconds"] for row in cut)
        losses["segment"] = _by_status((row["fid"], row["status"], row["reason"]) for row in segments)
    lost = _first_causes(asked, tables, left_out)
    if films is not None and segments is not None:
        coverage["films_in_data_set"] = len(asked) - sum(_count(causes) for causes in lost.values())
        coverage |= {"shared_recordings": len(shared), "films_sharing": sum(map(len, shared))}
    return coverage | {"lost_films": lost, "losses": losses, "notes": _notes(asked, tables)}


def as_text(coverage: Mapping[str, Any]) -> str:
    """Return the coverage as aligned lines of at most 100 characters, for a log file as for a terminal."""
    lines = ["Coverage", *_funnel(coverage), "", *_amounts(coverage)]
    lost = sum(_count(causes) for causes in coverage["lost_films"].values())
    if lost:
        lines += ["", f"Films lost, each at its first cause: {lost}", *_table(coverage["lost_films"])]
    others = {stage: causes for stage, causes in coverage["losses"].items() if stage in SMALLER}
    if any(others.values()):
        lines += ["", "Posters, recordings and segments lost", *_table(others)]
    lines += [f"Note: {note}" for note in coverage["notes"]]
    return "\n".join(lines)


def _rows(root: Path, stage: str, name: str) -> list[Row] | None:
    try:
        return read_table(root / f"data/{name}.parquet", SCHEMAS[name], stage, without=["landmarks"])
    except (MissingFileError, OSError, pa.ArrowException):
        return None


def _films(rows: Iterable[Row]) -> list[str]:
    return sorted({row["fid"] for row in rows})


def _got(rows: Iterable[Row]) -> int:
    return sum(row["status"] in GOT for row in rows)


def _minutes(seconds: Iterable[float | None]) -> float:
    return round(sum(value or 0.0 for value in seconds) / 60, 2)


def _by_status(outcomes: Iterable[tuple[str, str, str]]) -> dict[str, Loss]:
    """Return a loss a status of (fid, status, reason) that is not got, the most frequent first."""
    found: dict[str, Loss] = {}
    for fid, status, reason in outcomes:
        if status in GOT:
            continue
        loss = found.setdefault(status, {"count": 0, "films": [], "reason": " ".join(reason.split())})
        loss["count"] += 1
        if fid not in loss["films"] and len(loss["films"]) < EXAMPLES:
            loss["films"].append(fid)
    return dict(sorted(found.items(), key=lambda item: (-item[1]["count"], item[0])))


def _count(causes: Mapping[str, Loss]) -> int:
    return sum(loss["count"] for loss in causes.values())


def _is_usable(film: Row) -> bool:
    return film["status"] in USABLE and bool(known_parts(film))


def _first_causes(asked: list[str], tables: Mapping[str, list[Row] | None], left_out: LeftOut) -> Losses:
    """Return the films outside the data set by the first stage that lost them; a missing table loses none."""
    of_film = {name: _by_film(rows) for name, rows in tables.items()}
    outcomes: dict[str, list[tuple[str, str, str]]] = {
        stage: [] for stage, name in STAGES.items() if tables[name] is not None
    }
    for fid in asked:
        for stage in [stage for stage in STAGES if stage in outcomes]:
            rows = of_film[STAGES[stage]].get(fid, [])
            if any(row["status"] in GOT or (stage == "parse" and _is_usable(row)) for row in rows):
                continue
            if stage == "scrape" and _got(of_film["films"].get(fid, [])):  # meta.json gives all that its page would
                continue
            status, reason = (rows[0]["status"], rows[0]["reason"]) if rows else _absent(stage)
            outcomes[stage].append((fid, status, reason))
            break
        else:
            if fid in left_out:
                outcomes.setdefault("split", []).append((fid, *left_out[fid]))
    return {stage: _by_status(found) for stage, found in outcomes.items()}


def _by_film(rows: list[Row] | None) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows or ():
        found.setdefault(row["fid"], []).append(row)
    return found


def _absent(stage: str) -> tuple[str, str]:
    if stage == "download":
        return "not_asked", "no recording is asked for the film"
    return "no_row", f"it is not in data/{STAGES[stage]}.parquet: run `dvc repro {stage}`"


def _notes(asked: list[str], tables: Mapping[str, list[Row] | None]) -> list[str]:
    notes = []
    for stage, name in STAGES.items():
        found = {row["fid"] for row in tables[name] or ()}
        lacks = name == "films" and tables[name] is not None and found < set(asked)  # a film may have no recording
        if lacks or not found <= set(asked):
            notes.append(f"data/{name}.parquet is of another list of films: `dvc repro {stage}` makes it anew")
    return notes


def _funnel(coverage: Mapping[str, Any]) -> list[str]:
    asked = left = coverage["films_asked"]
    lines = [f"  {'films asked':<44}{asked:>9,}"]
    names = {
        "scrape": "with a page",
        "parse": "usable: a film with plot, poster or tags",
        "download": "with a recording",
        "segment": "with segments: in the data set",
        "split": "not left out by the split's parameters",
    }
    for stage, causes in coverage["lost_films"].items():
        left -= _count(causes)
        lines.append(f"  … {names[stage]:<42}{left:>9,}  {left / max(asked, 1):>6.1%}")
    return lines


def _amounts(coverage: Mapping[str, Any]) -> list[str]:
    names = {
        "posters_fetched": "posters fetched",
        "films_with_image": "films with an image",
        "films_with_plot": "films with a plot",
        "films_with_tags": "films with tags",
        "films_complete": "films with all three",
        "shared_recordings": "groups of films that share recordings",
        "recordings_asked": "recordings asked",
        "recordings_ok": "recordings fetched whole",
        "minutes_downloaded": "minutes of recordings",
        "segments": "segments",
        "minutes_of_segments": "minutes of segments",
    }
    return [
        f"  {name:<44}{coverage[key]:>9,.{1 if key.startswith('minutes') else 0}f}"
        for key, name in names.items()
        if key in coverage
    ]


def _table(losses: Losses) -> list[str]:
    found = [(stage, status, loss) for stage, causes in losses.items() for status, loss in causes.items()]
    widest = max(len(status) for _, status, _ in found)
    return [_line(f"  {stage:<9} {status:<{widest}} {loss['count']:>6,}  ", loss) for stage, status, loss in found]


def _line(start: str, loss: Loss) -> str:
    films = ", ".join(loss["films"][:2]) + ("…" if len(loss["films"]) > 2 else "")
    reason = one_line(loss["reason"])
    text = start + films + (f": {reason}" if reason else "")
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
