"""Sources of checkpoints: one file, a folder, or a model of the Hugging Face hub.

Before files are fetched only their names and sizes are known. A checkpoint is recognised by its suffix and its size.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.core.errors import ParamsError
from pipeline.core.hub import fetch, files_of, hub_address, is_hub_address

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
SMALLEST = 2**20  # bytes; the audio tower alone has 4.7 million values
LARGEST = 8 * 2**30  # bytes; the weights of all towers with Adam's two moments are 2.4 GB
POINTER = 1024  # bytes; Git LFS pointers are smaller


@dataclass(frozen=True)
class Source:
    """Possible checkpoints."""

    name: str  # as given by the user
    files: dict[str, int]  # bytes by POSIX path
    fetch: Callable[[str], Path]  # returns the local path of one of `files`
    is_file: bool = False  # rather than a folder or a model of the hub


def open_source(text: str) -> Source:
    """Return the files of `text`, a path or an address of the hub.

    Raises `ParamsError` if it is neither, `HubError` if the model is unavailable.
    """
    if is_hub_address(text):
        address = hub_address(text)
        files = {name: size for name, size in files_of(address).items() if _is_inside(name)}
        return Source(text, files, lambda name: fetch(address, [name]) / name)
    path = Path(text)
    if path.is_dir():
        return Source(text, _files_below(path), lambda name: path / name)
    if path.is_file():
        return Source(text, {path.name: path.stat().st_size}, lambda _: path, is_file=True)
    raise ParamsError(
        f"{text} is not a file or folder: name a checkpoint, a folder of checkpoints, or hf://OWNER/REPO on the "
        "Hugging Face hub"
    )


def is_candidate(file: str) -> bool:
    """Return whether a file has the suffix of a checkpoint."""
    return PurePosixPath(file).suffix.lower() in SUFFIXES


def size_reason(size: int, named: bool) -> str:
    """Return why a file of `size` bytes is not read, or an empty string; a file `named` by the user may be small."""
    if size > LARGEST:
        return f"it has {size / 2**30:.1f} GiB, allowed are at most {LARGEST / 2**30:.0f} GiB"
    if named or size >= SMALLEST:
        return ""
    other = (
        "another kind of file, or not yet fetched by `git lfs pull`" if size < POINTER else "or another kind of file"
    )
    return f"it has {size:,} bytes, too few for a checkpoint: it is damaged, {other}"


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _files_below(folder: Path) -> dict[str, int]:
    """Return the files below a folder, except hidden ones, sorted by path."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in files if not name.startswith("."))
        found.update({path.relative_to(folder).as_posix(): path.stat().st_size for path in paths if path.is_file()})
    return dict(sorted(found.items()))
