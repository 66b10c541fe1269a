"""The coverage of the corpus, and where each film and recording was lost: metrics/coverage.json.

Computed from the stages' tables only: the same tables result in the same bytes. If a table is missing, of another
schema or of another corpus, its keys are left out; a table of an older list of the same corpus is counted, with a note.

films_asked            films of pages.parquet, else of the first existing table
pages_fetched          films with a fetched page, or that need none
posters_fetched
films_with_image, films_with_plot, films_with_tags   of films.parquet, usable or not, without placeholders
films_complete         with plot, poster and tags, or placeholders
films_usable           with at least one of these
films_with_audio       with at least one complete recording
films_with_segments
films_in_data_set      usable, with segments, and not left out by `split`
shared_recordings      groups of films of the data set that share a recording, and therefore a split
films_sharing          films of these groups
recordings_asked       rows of downloads.parquet, including each recording of a playlist or a search
recordings_ok
minutes_downloaded     decoded length of the complete recordings
segments, minutes_of_segments
lost_films             {stage or "split": {status: LOSS}}: every film that a stage lost, once, at its first cause
pending_films          {stage: {status: LOSS}}: every film that is not lost and that a stage has not processed
losses                 {stage or "posters": {status: LOSS}}: every row that is not ok, per table
notes                  inconsistent tables

A LOSS is {"count": 3, "films": ["AAB", …], "reason": "HTTP 404 …"}: up to five films and the first one's reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core import corpora
from pipeline.core.errors import MissingFileError
from pipeline.core.files import write_json
from pipeline.core.tables import DOWNLOADS, FILMS, PAGES, SEGMENTS, read_table
from pipeline.core.text import one_line
from pipeline.core.variants import known_parts
from pipeline.split.dataset import USABLE, LeftOut

PATH = Path("metrics/coverage.json")  # relative to the root
STAGES = {"scrape": "pages", "parse": "films", "download": "downloads", "segment": "segments"}  # and their tables
SCHEMAS = {"pages": PAGES, "films": FILMS, "downloads": DOWNLOADS, "segments": SEGMENTS}
GOT = ("ok", "given")
NOT_YET = ("no_row", "not_asked")  # statuses of films that a stage has not processed
SMALLER = ("posters", "download", "segment")  # losses that do not necessarily lose a film
EXAMPLES = 5  # films listed per loss
WIDTH = 100  # characters of a line of the report

Row = dict[str, Any]
Loss = dict[str, Any]
Losses = dict[str, dict[str, Loss]]


def report(root: Path, corpus: str, left_out: LeftOut, shared: Sequence[Sequence[str]]) -> str:
    """Write metrics/coverage.json from the tables of `corpus` and return it as text, lines of at most 100 characters.

    Tables that are missing, of another schema or of another corpus are left out. `left_out` are the films that `split`
    leaves out, with status and reason, `shared` the groups of films that share a recording.
    """
    tables = {name: _rows(root, corpus, stage, name) for stage, name in STAGES.items()}
    coverage = measure(tables, left_out, shared)
    write_json(root / PATH, coverage)
    return as_text(coverage)


def measure(
    tables: Mapping[str, list[Row] | None], left_out: LeftOut, shared: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return the content of metrics/coverage.json; `tables` has the rows of each table of `SCHEMAS`, or None."""
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
    lost, pending = _first_causes(asked, tables, left_out)
    if films is not None and segments is not None:
        coverage["films_in_data_set"] = len(asked) - _total(lost) - _total(pending)
        coverage |= {"shared_recordings": len(shared), "films_sharing": sum(map(len, shared))}
    return coverage | {
        "lost_films": lost,
        "pending_films": pending,
        "losses": losses,
        "notes": _notes(asked, tables),
    }


def as_text(coverage: Mapping[str, Any]) -> str:
    """Return the coverage as aligned lines of at most 100 characters."""
    lines = ["Coverage", *_funnel(coverage), "", *_amounts(coverage)]
    titles = {"lost_films": "Films lost, by first cause", "pending_films": "Films not yet processed, by stage"}
    for key, title in titles.items():
        if number := _total(coverage[key]):
            lines += ["", f"{title}: {number}", *_table(coverage[key])]
    others = {stage: causes for stage, causes in coverage["losses"].items() if stage in SMALLER}
    if any(others.values()):
        lines += ["", "Posters, recordings and segments lost", *_table(others)]
    lines += [f"Note: {note}" for note in coverage["notes"]]
    return "\n".join(lines)


def _rows(root: Path, corpus: str, stage: str, name: str) -> list[Row] | None:
    fetched = corpora.PAGES if name in ("pages", "films") else corpora.RECORDINGS
    if not corpora.is_in_place(root, corpus, fetched):
        return None
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
    """Return one loss per status of (fid, status, reason) that is a failure, most frequent first."""
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


def _total(losses: Losses) -> int:
    return sum(map(_count, losses.values()))


def _first_causes(asked: list[str], tables: Mapping[str, list[Row] | None], left_out: LeftOut) -> tuple[Losses, Losses]:
    """Return the films outside the data set by the first stage that lost them, or that has not processed them.

    Missing tables are ignored.
    """
    of_film = {name: _by_film(rows) for name, rows in tables.items()}
    outcomes: dict[str, list[tuple[str, str, str]]] = {
        stage: [] for stage, name in STAGES.items() if tables[name] is not None
    }
    for fid in asked:
        for stage in [stage for stage in STAGES if stage in outcomes]:
            rows = of_film[STAGES[stage]].get(fid, [])
            if any(row["status"] in GOT or (stage == "parse" and _is_usable(row)) for row in rows):
                continue
            if stage == "scrape" and _got(of_film["films"].get(fid, [])):  # meta.json has all that its page would have
                continue
            status, reason = (rows[0]["status"], rows[0]["reason"]) if rows else _absent(stage)
            outcomes[stage].append((fid, status, reason))
            break
        else:
            if fid in left_out:
                outcomes.setdefault("split", []).append((fid, *left_out[fid]))
    lost, pending = {}, {}
    for stage, found in outcomes.items():
        by_status = _by_status(found)
        lost[stage] = {status: loss for status, loss in by_status.items() if status not in NOT_YET}
        if waiting := {status: loss for status, loss in by_status.items() if status in NOT_YET}:
            pending[stage] = waiting
    return lost, pending


def _by_film(rows: list[Row] | None) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows or ():
        found.setdefault(row["fid"], []).append(row)
    return found


def _absent(stage: str) -> tuple[str, str]:
    if stage == "download":
        return "no_recordings", "the film has no recordings in the list"
    return "no_row", f"not in data/{STAGES[stage]}.parquet: run `dvc repro {stage}`"


def _notes(asked: list[str], tables: Mapping[str, list[Row] | None]) -> list[str]:
    notes = []
    for stage, name in STAGES.items():
        found = {row["fid"] for row in tables[name] or ()}
        lacks = name == "films" and tables[name] is not None and found < set(asked)  # a film may have no recordings
        if lacks or not found <= set(asked):
            notes.append(f"data/{name}.parquet is of another list of films: run `dvc repro {stage}`")
    return notes


def _funnel(coverage: Mapping[str, Any]) -> list[str]:
    asked = left = coverage["films_asked"]
    lines = [f"  {'films in the list':<44}{asked:>9,}"]
    names = {
        "scrape": "with a page",
        "parse": "usable: a film with plot, poster or tags",
        "download": "with a recording",
        "segment": "with segments: in the data set",
        "split": "not left out by the split's parameters",
    }
    for stage, causes in coverage["lost_films"].items():
        left -= _count(causes) + _count(coverage["pending_films"].get(stage, {}))
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
        "recordings_asked": "recordings in the list",
        "recordings_ok": "recordings fetched",
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
