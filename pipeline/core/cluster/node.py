"""The checks of a cluster's nodes: a shared working directory, shared folders and equal package versions.

Imports only the standard library, because it is sent to nodes that may not see this library.
"""

import hashlib
import os
import platform
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Packages that affect results; the code in the repository is shared.
PACKAGES = (
    *("torch", "torchaudio", "transformers", "safetensors", "efficientnet-lite-pytorch", "musicnn"),
    *("numpy", "pyarrow", "av", "lameenc", "soundfile", "pillow", "beautifulsoup4", "lxml"),
)


@dataclass(frozen=True)
class Evidence:
    """The driver's view, to be compared with a node's."""

    place: str  # the working directory
    token: str  # a temporary file in it
    word: str  # its content
    listings: dict[str, str]  # by folder: digest of the names in it
    versions: dict[str, str]  # by package


@contextmanager
def evidence_of(folders: Sequence[Path]) -> Iterator[Evidence]:
    """Yield the evidence: the working directory with a temporary file, and the listings of `folders`."""
    place = Path.cwd()
    hidden = place / ".dvc/tmp"  # ignored by Git
    folder = hidden if hidden.is_dir() else place
    _remove_strays(folder)
    token = folder / f".node-{platform.node()}-{os.getpid()}-{secrets.token_hex(8)}"
    listings = {str(folder.resolve()): _listing(folder) for folder in folders}
    token.write_text(word := secrets.token_hex(16))
    try:
        yield Evidence(str(place), str(token), word, listings, _versions())
    finally:
        token.unlink(missing_ok=True)


def lacking(evidence: Evidence) -> str:
    """Return the first difference of this machine from `evidence`, "" if there is none."""
    token = Path(evidence.token)
    if not token.is_file() or token.read_text() != evidence.word:
        return f"does not see {evidence.place}: the repository must be on storage shared by all nodes"
    for folder, listing in evidence.listings.items():
        if _listing(Path(folder)) != listing:
            return f"has files in {folder} that differ from the driver's: it must be on storage shared by all nodes"
    own = _versions()
    differ = [f"{name} {own[name]} instead of {at}" for name, at in evidence.versions.items() if own[name] != at]
    return f"has {', '.join(differ)}: install the same versions" if differ else ""


def _remove_strays(folder: Path) -> None:
    """Remove the tokens of killed drivers of this machine."""
    for token in folder.glob(f".node-{platform.node()}-*"):
        try:
            os.kill(int(token.name.split("-")[-2]), 0)
        except ProcessLookupError:
            token.unlink(missing_ok=True)
        except (PermissionError, ValueError):  # another user's, or not a token
            pass


def _versions() -> dict[str, str]:
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _listing(folder: Path) -> str:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ""
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()
