"""Requests and responses about libraries and their files, as described in OpenAPI."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipeline.apps.library.background import State


class Begin(BaseModel):
    """Which files to read when a library is updated."""

    all: Annotated[bool, Field(description="also read files that look unchanged")] = False


class Changes(BaseModel):
    """Number of files that changed since the library was indexed."""

    new: int
    changed: int
    removed: int


class Indexing(BaseModel):
    """A library and its indexing state."""

    name: Annotated[str, Field(examples=["my-library"])]
    searchable: Annotated[bool, Field(description="whether it can be searched")]
    refusal: Annotated[str, Field(description="why it cannot be indexed here; empty if it can")]
    folder: Annotated[str, Field(description="the music folder; empty if other machines can reach the server")] = ""
    reachable: Annotated[bool, Field(description="whether the music folder exists")] = True
    state: Annotated[State, Field(description="idle: no indexing since the server started")] = "idle"
    label: Annotated[str, Field(description="the model, while files are embedded")] = ""
    done: Annotated[int, Field(description="files processed in this step", examples=[48])] = 0
    total: Annotated[int, Field(description="all files of this step", examples=[120])] = 0
    reason: Annotated[str, Field(description="why it failed")] = ""
    changes: Annotated[Changes | None, Field(description="changes since it was indexed; null if unknown")] = None
    can_read_all: Annotated[bool, Field(description="whether `all` is allowed")] = False


class Format(BaseModel):
    """Number of files in a format."""

    format: Annotated[str, Field(examples=["mp3"])]
    files: int


class Status(BaseModel):
    """Number of files skipped for the same reason."""

    status: Annotated[str, Field(examples=["corrupt"])]
    files: int


class Skipped(BaseModel):
    """A skipped file."""

    path: Annotated[str, Field(examples=["Dusk/broken.mp3"])]
    status: Annotated[str, Field(examples=["corrupt"])]
    reason: str


class Duplicate(BaseModel):
    """Files with the same music."""

    same: Annotated[
        Literal["content", "recording"], Field(description="content: identical bytes; recording: the same sound")
    ]
    files: Annotated[list[str], Field(examples=[["Dusk/fire.flac", "Dusk/fire.mp3"]])]


class Files(BaseModel):
    """The contents of a library."""

    files: Annotated[int, Field(description="audio files in the folder")]
    tracks: Annotated[int, Field(description="files that can be found by a search")]
    segments: Annotated[int, Field(description="segments of the tracks, each with its own embedding")]
    hours: float
    bytes: Annotated[int | None, Field(description="total size of the tracks; null if unknown")] = None
    films: Annotated[int, Field(description="films or albums")]
    formats: Annotated[list[Format], Field(description="formats of the tracks, by suffix")]
    skipped: Annotated[int, Field(description="skipped files")] = 0
    statuses: Annotated[list[Status], Field(description="skipped files by reason")] = []
    skipped_files: list[Skipped] = []
    repeats: Annotated[int, Field(description="files with the same music as another file")] = 0
    duplicates: list[Duplicate] = []
