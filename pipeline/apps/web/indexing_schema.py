"""What the API answers of libraries and their files, as OpenAPI describes it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipeline.apps.library.background import State


class Begin(BaseModel):
    """What is read when a library is brought up to date."""

    all: Annotated[bool, Field(description="also files that look unchanged")] = False


class Changes(BaseModel):
    """Files that are not as they were when the library was indexed."""

    new: int
    changed: int
    removed: int


class Indexing(BaseModel):
    """A library, and how far it is indexed."""

    name: Annotated[str, Field(examples=["my-library"])]
    searchable: Annotated[bool, Field(description="whether it can be searched")]
    refusal: Annotated[str, Field(description="why it cannot be indexed here; empty where it can")]
    folder: Annotated[str, Field(description="of the music, where only this machine reaches the server")] = ""
    reachable: Annotated[bool, Field(description="whether that folder is there")] = True
    state: Annotated[State, Field(description="idle: nothing was asked for since the server began")] = "idle"
    label: Annotated[str, Field(description="the model, while files are embedded")] = ""
    done: Annotated[int, Field(description="files in this step", examples=[48])] = 0
    total: Annotated[int, Field(description="files in this step, in all", examples=[120])] = 0
    reason: Annotated[str, Field(description="why it failed")] = ""
    changes: Annotated[Changes | None, Field(description="since it was indexed; null where that is not known")] = None
    can_read_all: Annotated[bool, Field(description="whether `all` is allowed")] = False


class Format(BaseModel):
    """Files of a format."""

    format: Annotated[str, Field(examples=["mp3"])]
    files: int


class Status(BaseModel):
    """Files that were left out for the same reason."""

    status: Annotated[str, Field(examples=["corrupt"])]
    files: int


class Skipped(BaseModel):
    """A file that was left out."""

    path: Annotated[str, Field(examples=["Dusk/broken.mp3"])]
    status: Annotated[str, Field(examples=["corrupt"])]
    reason: str


class Duplicate(BaseModel):
    """Files with the same music."""

    same: Annotated[
        Literal["content", "recording"], Field(description="content: byte for byte; recording: it sounds the same")
    ]
    files: Annotated[list[str], Field(examples=[["Dusk/fire.flac", "Dusk/fire.mp3"]])]


class Files(BaseModel):
    """What a library holds."""

    files: Annotated[int, Field(description="audio files in its folder")]
    tracks: Annotated[int, Field(description="those that can be found")]
    segments: Annotated[int, Field(description="parts of them, each of which is found by itself")]
    hours: float
    bytes: Annotated[int | None, Field(description="of the tracks; null where it is not known")] = None
    films: Annotated[int, Field(description="films or albums")]
    formats: Annotated[list[Format], Field(description="of the tracks, by suffix")]
    skipped: Annotated[int, Field(description="files that were left out")] = 0
    statuses: Annotated[list[Status], Field(description="of those")] = []
    skipped_files: list[Skipped] = []
    repeats: Annotated[int, Field(description="files whose music another one has, too")] = 0
    duplicates: list[Duplicate] = []
