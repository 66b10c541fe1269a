"""Files of the project's own, which appear whole: written under a temporary name in the same folder, then renamed.

File and folder are synced, so that a power cut leaves the old content or the new. What a user names for a result is
written by `pipeline.core.output` instead.
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
NAME_CHARS = 48  # of a file's name in its temporary one, which must not be longer than a name may be
MODE = 0o644  # mkstemp gives 0600


@contextmanager
def whole_file(path: Path, mode: int = MODE) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends, remove it when the block fails."""
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
    """Return `whole_file` for a new content of a user's file, if it is there: a link is followed, the mode kept."""
    path = path.resolve()
    return whole_file(path, stat.S_IMODE(path.stat().st_mode) if path.exists() else MODE)


def remove_strays(path: Path) -> None:
    """Remove what killed runs left of `path`, a file that has one writer."""
    for stray in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
        stray.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole."""
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
