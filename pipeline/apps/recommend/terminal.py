"""Print recommendations on the terminal."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.apps.recommend.formats import Track, clock, joined, plain, recording
from pipeline.apps.recommend.passing import Filtered
from pipeline.apps.recommend.recommender import Answer

WIDTH = 100  # if the output is not a terminal
TEXTS = ("film or album", "track", "key", "music", "path")
NOTHING = ("", clock(0.0))
SHORT = 30  # characters of a path that is never wrapped; longer ones would leave no room for other columns
MUSIC_TAGS = 2  # most probable tags of a track
TEXT_CHARS = 120  # of a passage of the query


def model_message(answer: Answer) -> str:
    """Return which model answered, and why it was chosen."""
    model = answer.model
    figures = model.figures_of(answer.given)
    recall = f" Recall at 10 on the test set: {figures.recall:.3f}." if figures is not None else ""
    unused = f" Not used: {joined(answer.unused)}." if answer.unused else ""
    read = model.reads(answer.given) or model.needs
    return f"{model.label} reads {joined(read)}: {answer.chosen}.{recall}{unused}"


def print_table(answer: Answer, folder: Path) -> None:
    """Print the model, a table of the tracks, and the reasons if there are any.

    Paths are relative to the current folder.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(Text(model_message(answer)))
    if not answer.tracks:
        console.print(Text(nothing_left(answer.filtered)))
        return
    rows = [_cells(track) | {"path": plain(shown(folder / track["path"]))} for track in answer.tracks]
    is_short = all(len(row["path"]) <= SHORT for row in rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in rows[0]:
        if any(row[name] not in NOTHING for row in rows):
            is_text, is_whole = name in TEXTS, name == "path" and is_short
            table.add_column(
                name, justify="left" if is_text else "right", overflow="fold", no_wrap=is_whole or not is_text
            )
    for row in rows:
        table.add_row(*(Text(row[str(column.header)]) for column in table.columns))
    console.print(table)
    for line in _reasons(answer):
        console.print(Text(line))


def nothing_left(filtered: Filtered | None) -> str:
    """Return why there are no tracks: how many pass each filter."""
    if filtered is None or filtered.tracks:
        return "No tracks left: exclude fewer films."
    alone = joined([f"{name} {count:,}" for name, count in filtered.alone.items()])
    return f"No track passes all filters. Tracks that pass each filter alone: {alone}."


def _reasons(answer: Answer) -> list[str]:
    """Return one line of reasons per track that has any, and one on the reliability of the model."""
    told = [track for track in answer.tracks if "place" in track]
    lines = [f"{track['rank']}. {'. '.join(found)}." for track in told if (found := _reasons_of(track))]
    figures = answer.model.figures_of(answer.given)
    if told and figures is not None and figures.in_words:
        lines.append(f"Reliability: {figures.in_words}. Results for other films and other music may differ.")
    return lines


def _reasons_of(track: Track) -> list[str]:
    answers = ", ".join(_quoted(passage["text"]) for passage in track["answers"])
    without = [
        f"without {part} place {found['place']:,} ({found['score']:.3f})" for part, found in track["without"].items()
    ]
    return [f"Matches: {answers}"] * bool(answers) + [joined(without).capitalize()] * bool(without)


def _quoted(text: str) -> str:
    text = plain(text)
    return f"“{text}”" if len(text) <= TEXT_CHARS else f"“{text[:TEXT_CHARS].rstrip()}…”"


def _cells(track: Track) -> dict[str, str]:
    """Return a track's cells by column; a column with only `NOTHING` is omitted from the table."""
    year = f" ({track['year']})" if track["year"] is not None else ""
    start, seconds = track["file_start_seconds"], track["recording_seconds"] or track["seconds"]
    return {
        "rank": str(track["rank"]),
        "score": f"{track['score']:.3f}",
        "film or album": f"{plain(track['film'])}{year}",
        "track": recording(track) or f"{track['fid']}/{track['number']}" * bool(track["fid"]),
        "start": "" if start is None else clock(start),
        "length": "" if seconds is None else clock(seconds),
        "tempo": "" if track["tempo"] is None else f"{track['tempo']:.0f}",
        "key": plain(track["key"]).replace(" minor", "m").replace(" major", ""),
        "music": plain(", ".join(track["music_tags"].split(", ")[:MUSIC_TAGS])),
    }


def shown(path: Path) -> str:
    """Return a path, relative to the current folder if it is below it."""
    resolved, here = path.resolve(), Path().resolve()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)
