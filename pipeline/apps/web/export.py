"""Export of tracks: CSV for spreadsheets, M3U8 for media players, JSON for programs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi.responses import Response

from pipeline.apps.recommend.formats import as_csv, as_json, as_m3u
from pipeline.apps.web.schema import Format

Row = dict[str, Any]

BOM = "\ufeff"  # Excel needs it to read CSV as UTF-8
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "m3u8": "application/vnd.apple.mpegurl",
    "json": "application/json",
}


def export(
    kind: Format, name: str, about: Row, tracks: Sequence[Row], address: Callable[[Row], str | None]
) -> Response:
    """Return the response that saves `tracks` as the file `name` of a kind.

    A playlist lists each track's `address`, and omits tracks without one. JSON starts with `about`.
    """
    if kind == "csv":
        text = BOM + as_csv(tracks, _path)
    elif kind == "m3u8":
        places = [(track, place) for track in tracks if (place := address(track)) is not None]
        found = {id(track): place for track, place in places}
        text = as_m3u([track for track, _ in places], lambda track: found[id(track)])
    else:
        text = as_json(about, tracks, _path)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(text.encode("utf-8", "replace"), headers=headers, media_type=MEDIA_TYPES[kind])


def file_entry(path: Path) -> str:
    """Return a playlist entry for a file: its path, or a `file:` URL if the path has unprintable characters."""
    return str(path) if str(path).isprintable() else path.as_uri()


def _path(track: Row) -> str:
    return track["path"]
