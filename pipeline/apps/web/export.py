"""A list of tracks as a file: a table for a spreadsheet, a playlist for a player, JSON for programs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi.responses import Response

from pipeline.apps.recommend.formats import as_csv, as_json, as_m3u

Row = dict[str, Any]
Format = Literal["csv", "m3u8", "json"]

BOM = "\ufeff"  # without it Excel does not read a table as UTF-8
NAME = "soundtracks"
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "m3u8": "application/vnd.apple.mpegurl",
    "json": "application/json",
}


def export(kind: Format, library: str, tracks: Sequence[Row], address: Callable[[Row], str]) -> Response:
    """Return the answer that saves `tracks` as a file of a kind; a player finds a track at its `address`."""
    if kind == "csv":
        text = BOM + as_csv(tracks, _path)
    elif kind == "m3u8":
        text = as_m3u(tracks, address)
    else:
        text = as_json({"library": library}, tracks, _path)
    headers = {"Content-Disposition": f'attachment; filename="{NAME}.{kind}"'}
    return Response(text.encode("utf-8", "replace"), headers=headers, media_type=MEDIA_TYPES[kind])


def file_entry(path: Path) -> str:
    """Return a file as a line of a playlist: its path, or an address where that would not be one line of text."""
    return str(path) if str(path).isprintable() else path.as_uri()


def _path(track: Row) -> str:
    return track["path"]
