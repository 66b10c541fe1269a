"""The tracks of the libraries by row, and their files: only files that a library lists are served."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi.responses import FileResponse, JSONResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from pipeline.apps.library.library import file_of
from pipeline.apps.recommend.libraries import SearchableLibrary
from pipeline.apps.recommend.recommender import Recommender
from pipeline.apps.recommend.trained import Model
from pipeline.apps.web.failures import Refused
from pipeline.apps.web.guards import problem
from pipeline.core.errors import MissingFileError, PipelineError
from pipeline.store.index import read_peaks

Row = dict[str, Any]

MEDIA_TYPES = {  # by suffix, the same on every system
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
    ".mka": "audio/x-matroska",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".wma": "audio/x-ms-wma",
}
OTHER = "application/octet-stream"
BYTES = "bytes"
SHOWN = 60  # characters of a header
RANGE_FAILURES = {
    400: "allowed are bytes=0-99, bytes=100- and bytes=-100",
    416: "the file ends before it",
}


class AudioResponse(FileResponse):
    """Sends a file or a range of it; an invalid range is answered with a JSON error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("range", BYTES)
        if asked.partition("=")[0].strip().lower() != BYTES:  # RFC 9110, 14.2: other units are ignored
            scope = dict(scope) | {"headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        refused: JSONResponse | None = None

        async def answer(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in RANGE_FAILURES:
                why = RANGE_FAILURES[message["status"]]
                refused = problem(message["status"], f"Range: found {asked[:SHOWN]!r}, {why}")
                found = Headers(raw=message["headers"]).get("content-range")
                refused.headers.update({"Content-Range": found} if found else {})
            elif refused is None:
                await send(message)

        await super().__call__(scope, receive, answer)
        if refused is not None:
            await refused(scope, receive, send)


@dataclass(frozen=True)
class _Known:
    """A library's tracks without their vectors, which can then be released."""

    library: SearchableLibrary  # replaced by another object when reindexed
    tracks: pa.Table
    index: Path  # file of those tracks
    summary: Row


class Tracks:
    """Tracks by library and row; all indexes of a library have the same tracks in the same rows."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._known: dict[str, _Known] = {}

    def count(self, library: str) -> int | None:
        """Return the number of tracks of a library; None if no index of it was opened yet."""
        return len(self._known[library].tracks) if self._is_known(library) else None

    def learn(self, library: str, model: Model) -> None:
        """Take the tracks of a library from its open index for `model`."""
        if not self._is_known(library):
            source = self._recommender.libraries[library]
            opened = self._recommender.opened(library, model)
            self._known[library] = _Known(source, opened.index.tracks, opened.index.path, opened.summary)

    def summary(self, library: str) -> Row:
        """Return the summary of a library (`pipeline.apps.recommend.summary`); open the library if necessary."""
        self.table(library)
        return self._known[library].summary

    def rows(self, library: str, rows: Sequence[int]) -> list[Row]:
        """Return the tracks in `rows`, each with its `row`; raise `Refused` for a row out of range."""
        table = self.table(library)
        for row in rows:
            if not 0 <= row < len(table):
                raise Refused(404, f"row: found {row}, the library {library!r} has rows 0 to {len(table) - 1}")
        return [
            {"row": row, **track}
            for row, track in zip(rows, table.take(pa.array(rows, pa.int64())).to_pylist(), strict=True)
        ]

    def rows_of(self, library: str, places: Sequence[tuple[str, float | None]]) -> list[int | None]:
        """Return the row of each track by its `path` and `file_start_seconds`; None if there is no such track."""
        table = self.table(library)
        named = pc.is_in(table["path"], value_set=pa.array({path for path, _ in places}, pa.string()))
        rows = np.flatnonzero(named.to_numpy())
        found = table.select(["path", "file_start_seconds"]).take(pa.array(rows)).to_pydict()
        known = dict(zip(zip(found["path"], found["file_start_seconds"], strict=True), rows.tolist(), strict=True))
        return [known.get(place) for place in places]

    def peaks(self, library: str, row: int) -> bytes | None:
        """Return the peaks of a track's file; None if the index has none, or was replaced or removed."""
        self.rows(library, [row])
        try:
            return read_peaks(self._known[library].index, row)
        except (MissingFileError, IndexError):
            return None

    def file(self, library: str, row: int) -> Path:
        """Return the file of a track; raise `Refused` if it is not an audio file inside the library."""
        (track,) = self.rows(library, [row])
        found = self.found(library, track)
        if found is None:
            raise Refused(404, "the file of this track is missing from the library's folder")
        return found

    def found(self, library: str, track: Row) -> Path | None:
        """Return the file of a track; None if it is not an audio file inside the library."""
        return file_of(self._recommender.libraries[library].folder, track["path"])

    def table(self, library: str) -> pa.Table:
        """Return the tracks of a library, opening it if necessary; raise `Refused` for an unknown library."""
        if library not in self._recommender.libraries:
            known = ", ".join(self._recommender.libraries)
            raise Refused(404, f"library: found {library!r}, allowed are {known}")
        if not self._is_known(library):
            self.learn(library, self._with_index(library))
        return self._known[library].tracks

    def _is_known(self, library: str) -> bool:
        known = self._known.get(library)
        return known is not None and known.library is self._recommender.libraries.get(library)

    def _with_index(self, library: str) -> Model:
        """Return a model for which the library has an index; the model for similar tracks is tried first."""
        preferred = self._recommender.preferred
        models = sorted(self._recommender.models.values(), key=lambda model: model.name != preferred)
        failures: list[PipelineError] = []
        for model in models:
            try:
                self._recommender.opened(library, model)
            except PipelineError as error:
                failures.append(error)
            else:
                return model
        raise failures[0]


def audio_url(library: str, row: int) -> str:
    """Return the address of a track's file on this server."""
    return f"/api/libraries/{quote(library, safe='')}/tracks/{row}/audio"


def audio_answer(path: Path) -> AudioResponse:
    """Return the response that sends a file."""
    media_type = MEDIA_TYPES.get(path.suffix.lower(), OTHER)
    return AudioResponse(path, media_type=media_type, filename=path.name, content_disposition_type="inline")
