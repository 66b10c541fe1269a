"""Recommendations for programs, spreadsheets and players: JSON, CSV, and a playlist (extended M3U in UTF-8).

Titles come out of strangers' files: what would act on a terminal, break a line of a playlist or become a formula in a
spreadsheet is taken out or made plain text. `where` gives the place of a track as the reader can open it.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from pipeline.corpus.film import ORIGIN
from pipeline.store.index import INDEX_KEYS

Track = dict[str, Any]  # a track of `pipeline.apps.recommend.recommender.Answer`
Where = Callable[[Track], str]

COLUMNS = ("rank", "score", *(name for name in INDEX_KEYS.names if name != "path"))
WHY = ("place", "without", "answers")
KEPT = ("library", "note", "found_for")  # of a shortlist
NOTE = "#NOTE: "  # a directive of nobody's: players skip it, but read options out of a comment that begins as one
CONTROLS = ("Cc", "Cf", "Cs")  # Unicode's categories: control, format (direction among them), halves of characters
UNKNOWN_LENGTH = -1  # in a playlist
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of a formula


def records(tracks: Sequence[Track], where: Where) -> list[Track]:
    """Return a dict a track, all of the same keys: what it is, its `path`, and why it is there if that was asked."""
    return [
        {name: _told(track[name]) for name in COLUMNS}
        | {"path": where(track)}
        | {name: _told(track[name]) for name in (*WHY, *KEPT) if name in track}
        for track in tracks
    ]


def as_json(about: dict[str, Any], tracks: Sequence[Track], where: Where) -> str:
    """Return one JSON object: `about`, and `tracks` as `records` gives them."""
    return json.dumps(about | {"tracks": records(tracks, where)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(tracks: Sequence[Track], where: Where) -> str:
    """Return `records` as CSV with a header; a text that begins as a formula does gets an apostrophe in front."""
    rows = [_flat(record) for record in records(tracks, where)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [*COLUMNS, "path"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def as_m3u(tracks: Sequence[Track], where: Where) -> str:
    """Return a playlist; a track that is a part of its file is played from its start on by players that can (VLC)."""
    lines = ["#EXTM3U"]
    for track in tracks:
        start, seconds = track["file_start_seconds"] or 0.0, track["seconds"]
        lines.append(f"#EXTINF:{UNKNOWN_LENGTH if seconds is None else round(seconds)},{caption(track)}")
        if track.get("note"):
            lines.append(NOTE + plain(track["note"]))
        if not track["fid"]:  # a part of its file
            lines.append(f"#EXTVLCOPT:start-time={start:g}")
            if seconds is not None:
                lines.append(f"#EXTVLCOPT:stop-time={start + seconds:g}")
        lines.append(where(track))
    return "\n".join(lines) + "\n"


def caption(track: Track) -> str:
    """Return e.g. `Gottfried Huppertz - Auszug der Arbeiter (Metropolis, 1927)`."""
    name = recording(track)
    film = ", ".join([plain(track["film"])] * bool(track["film"]) + [str(track["year"])] * (track["year"] is not None))
    return " ".join([name] * bool(name) + [f"({film})" if name else film] * bool(film))


def recording(track: Track) -> str:
    """Return artist and title, e.g. `Gottfried Huppertz - Auszug der Arbeiter`; no title that is but a file's name."""
    is_named = track["title"] != PurePosixPath(track["source_url"]).stem
    return " - ".join(plain(text) for text in (track["artist"], track["title"] if is_named else "") if text)


def public(text: str) -> str:
    """Return `text`; nothing for an address on the corpus's own server, which nobody else can open."""
    return "" if text.startswith(ORIGIN) else text


def plain(text: str) -> str:
    """Return `text` on one line without control characters."""
    spaced = (" " if c.isspace() else c for c in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c) not in CONTROLS).split())


def joined(names: Sequence[str], word: str = "and") -> str:
    """Return e.g. `Im, Ta and All`."""
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def clock(seconds: float) -> str:
    """Return e.g. `1:05`, or `1:01:05`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _told(value: Any) -> Any:
    """Return a value as others can use it: a text on one line, and public."""
    if not isinstance(value, str):
        return value
    return plain(public(value))


def _flat(record: Track) -> Track:
    """Return a record with a column for each place and score without a part of the query, and one for passages."""
    without = record.pop("without", {})
    if "answers" in record:
        record["answers"] = " | ".join(plain(passage["text"]) for passage in record["answers"])
    return record | {f"{name}_without_{part}": found[name] for part, found in without.items() for name in found}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
