"""Export recommendations for programs, spreadsheets and players: JSON, CSV, and playlists (extended M3U in UTF-8).

Titles are untrusted: terminal control characters, line breaks and spreadsheet formulas are removed or escaped.
`where` returns the path or address of a track that the reader can open.
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
NOTE = "#NOTE: "  # unknown directive, which players skip; a plain comment could be read as an option
CONTROLS = ("Cc", "Cf", "Cs")  # Unicode categories: control, format (including direction), surrogates
UNKNOWN_LENGTH = -1  # in a playlist
FORMULA = ("=", "+", "-", "@")  # first characters of a formula in a spreadsheet


def records(tracks: Sequence[Track], where: Where) -> list[Track]:
    """Return one dict per track, all with the same keys: its columns, its `path`, and the reasons if requested."""
    return [
        {name: _told(track[name]) for name in COLUMNS}
        | {"path": where(track)}
        | {name: _told(track[name]) for name in (*WHY, *KEPT) if name in track}
        for track in tracks
    ]


def as_json(about: dict[str, Any], tracks: Sequence[Track], where: Where) -> str:
    """Return one JSON object: `about`, and `tracks` from `records`."""
    return json.dumps(about | {"tracks": records(tracks, where)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(tracks: Sequence[Track], where: Where) -> str:
    """Return `records` as CSV with a header; a text that starts like a formula is prefixed with an apostrophe."""
    rows = [_flat(record) for record in records(tracks, where)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [*COLUMNS, "path"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def as_m3u(tracks: Sequence[Track], where: Where) -> str:
    """Return a playlist; a segment of a file has its start and end, for players that support them (VLC)."""
    lines = ["#EXTM3U"]
    for track in tracks:
        start, seconds = track["file_start_seconds"] or 0.0, track["seconds"]
        lines.append(f"#EXTINF:{UNKNOWN_LENGTH if seconds is None else round(seconds)},{caption(track)}")
        if track.get("note"):
            lines.append(NOTE + plain(track["note"]))
        if not track["fid"]:  # a segment of its file
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
    """Return e.g. `Gottfried Huppertz - Auszug der Arbeiter`; a title that is only a file name is omitted."""
    is_named = track["title"] != PurePosixPath(track["source_url"]).stem
    return " - ".join(plain(text) for text in (track["artist"], track["title"] if is_named else "") if text)


def public(text: str) -> str:
    """Return `text`, or "" for an address on the corpus's own server, which is not public."""
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
    """Return a value for export: a text on one line, without private addresses."""
    if not isinstance(value, str):
        return value
    return plain(public(value))


def _flat(record: Track) -> Track:
    """Return a record with one column for each score and place without a part, and one for the passages."""
    without = record.pop("without", {})
    if "answers" in record:
        record["answers"] = " | ".join(plain(passage["text"]) for passage in record["answers"])
    return record | {f"{name}_without_{part}": found[name] for part, found in without.items() for name in found}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
