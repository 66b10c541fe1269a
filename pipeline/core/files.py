"""Atomic writes of the project's own files: written under a temporary name in the same folder, then renamed.

File and folder are synced: a power failure leaves the old or the new content. Output files that a user names are
written by `pipeline.core.output`.
"""

import glob
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

BLOCK_BYTES = 1 << 20
NAME_CHARS = 48  # of the file's name in the temporary one, within the limit of file systems
MODE = 0o644  # instead of mkstemp's 0600


@contextmanager
def whole_file(path: Path, mode: int = MODE) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` at the end of the block, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        os.replace(temporary, path)
        with suppress(OSError):  # some network file systems cannot sync a folder
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def edited_file(path: Path) -> AbstractContextManager[Path]:
    """Return `whole_file` for a user's file: follows a link, and keeps the mode of an existing file."""
    path = path.resolve()
    return whole_file(path, stat.S_IMODE(path.stat().st_mode) if path.exists() else MODE)


def remove_strays(path: Path) -> None:
    """Remove the temporary files that killed runs left for `path`, a file with one writer."""
    for stray in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
        stray.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with a final newline, keys in the order given."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _prefix(path: Path) -> str:
    return f".part-{path.name[:NAME_CHARS]}-"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
