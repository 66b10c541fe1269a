"""The library that `index` writes for a folder of music: a folder with one index per model.

    my-library/library.json             the music folder, and the models
    my-library/files.parquet            one row per file (`pipeline.apps.library.table`)
    my-library/tracks/<variant>.parquet the segments with their embeddings (`pipeline.store.index`)
    my-library/.cache                   computed results; may be deleted, and is then computed again

Its contents are untrusted, since anyone may have written it: paths in its tables are joined by `file_of` only.
"""

import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pipeline.apps.library.tags import clean
from pipeline.apps.library.walk import is_audio
from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.libraries import require_model
from pipeline.apps.recommend.trained import Model
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.fields import STRICT
from pipeline.core.files import remove_strays, write_json

NAME = "library.json"
FORMER_NAME = "catalogue.json"  # of earlier versions; `index` replaces it with library.json
FORMAT = 1
NAME_CHARS = 40  # of the music folder's name in the library's name
DIGEST_CHARS = 8
COMMAND_CHARS = 5000


@checked(frozen=True, config=STRICT)
class Contents:
    """The contents of library.json."""

    format: int
    folder: str  # absolute
    variants: dict[str, str]  # SHA-256 of each model's weights


@dataclass(frozen=True)
class Library:
    """An indexed music folder, a `pipeline.apps.recommend.libraries.SearchableLibrary`."""

    place: Path  # of the library
    folder: Path  # of the music
    variants: tuple[str, ...]
    name: str

    def index(self, model: Model) -> TrackIndex:
        """Return the segments with their embeddings from `model`.

        Raises `MissingFileError` if there is no index for the model, `ModelError` if its weights have changed; both
        messages have the command to run.
        """
        command = index_command(self.folder, self.place, model.option)
        if model.name not in self.variants:
            there = clean(", ".join(self.variants)) or "none yet"
            raise MissingFileError(f"{self.place} has no index for {model.label} (found: {there}): run `{command}`")
        path = tracks_path(self.place, model.name)
        try:
            return require_model(open_index(path, f"run `{command}`"), model, path)
        except ModelError as error:
            raise ModelError(f"{error}: run `{command}`") from None


def is_library(path: Path) -> bool:
    """Return whether `path` is a library written by `index`."""
    return (path / NAME).is_file() or (path / FORMER_NAME).is_file()


def open_library(path: Path) -> Library:
    """Return the library at `path`; raise as `read_contents` does. The music folder need not exist."""
    contents = read_contents(path)
    return Library(path, Path(contents.folder), tuple(contents.variants), clean(path.resolve().name))


def read_contents(path: Path) -> Contents:
    """Return the contents of library.json.

    Raises `MissingFileError` if it is missing or damaged, `ModelError` if another version wrote it.
    """
    file = path / (FORMER_NAME if (path / FORMER_NAME).is_file() and not (path / NAME).is_file() else NAME)
    advice = f"remove {path} and run `{index_command(Path('FOLDER'), path)}` again"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("format") != FORMAT:
            raise ModelError(f"{file}: format: found {found.get('format')!r}, this version reads {FORMAT}: {advice}")
        contents = TypeAdapter(Contents).validate_json(json.dumps(found))
    except FileNotFoundError:
        raise MissingFileError(f"{file} is missing: {advice}") from None
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise MissingFileError(f"{file} is damaged ({clean(why)}): {advice}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise MissingFileError(f"{file} is damaged ({error}): {advice}") from None
    if not Path(contents.folder).is_absolute():
        raise MissingFileError(f"{file} is damaged (folder: {contents.folder!r} is not absolute): {advice}")
    return contents


def write_contents(place: Path, folder: Path, variants: dict[str, str]) -> None:
    """Write library.json, unless it is unchanged."""
    contents = Contents(FORMAT, str(folder), variants)
    if not (place / NAME).is_file() or read_contents(place) != contents:
        remove_strays(place / NAME)
        write_json(place / NAME, {"format": FORMAT, "folder": str(folder), "variants": variants})
    (place / FORMER_NAME).unlink(missing_ok=True)


def tracks_path(place: Path, variant: str) -> Path:
    """Return the path of the index for a variant's model."""
    return place / "tracks" / f"{variant}.parquet"


def index_place(base: Path, folder: Path) -> Path:
    """Return the default path, below `base`, of the library of the music in `folder`."""
    resolved = folder.resolve()
    name = re.sub(r"[^\w-]+", "-", resolved.name).strip("-")[:NAME_CHARS] or "music"
    return base / f"{name}-{hashlib.sha256(bytes(resolved)).hexdigest()[:DIGEST_CHARS]}"


def index_command(folder: Path, place: Path, option: str = "") -> str:
    """Return the command that creates or updates a library, quoted, and safe to print for any folder name."""
    command = f"python -m pipeline index {shlex.quote(str(folder))} --out {shlex.quote(str(place))} {option}".rstrip()
    return command if command.isprintable() else clean(command, COMMAND_CHARS)


def file_of(folder: Path, path: str) -> Path | None:
    """Return the audio file at `path` of a table, resolved; None if it is not a file below `folder`.

    Absolute paths, any `..`, links out of the folder, and names without an audio suffix are refused.
    """
    try:
        inside = folder.resolve()
        found = (inside / path).resolve()
        is_there = found.is_file()
    except (OSError, ValueError, RuntimeError):  # a null byte, a name that is too long, circular links
        return None
    named = Path(path)
    honest = not named.is_absolute() and ".." not in named.parts and is_audio(named.name)
    return found if honest and is_there and found.is_relative_to(inside) else None
