"""What the nodes of a cluster must have in common, and how each proves that it has.

It imports nothing but the standard library, as it is sent to nodes that may not see this library.
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

# What results depend on, beside the code in the repository, which is shared.
PACKAGES = (
    *("torch", "torchaudio", "transformers", "safetensors", "efficientnet-lite-pytorch", "musicnn"),
    *("numpy", "pyarrow", "av", "lameenc", "soundfile", "pillow", "beautifulsoup4", "lxml"),
)


@dataclass(frozen=True)
class Evidence:
    """What the driver sees, to be compared with what a node sees."""

    place: str  # the working directory
    token: str  # a file in it, made for this work, ...
    word: str  # ... and its content
    listings: dict[str, str]  # by folder: digest of the names in it
    versions: dict[str, str]  # by package


@contextmanager
def evidence_of(folders: Sequence[Path]) -> Iterator[Evidence]:
    """Yield what a node must see: the working directory with a file that is there meanwhile, and `folders`."""
    place = Path.cwd()
    hidden = place / ".dvc/tmp"  # which git ignores
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
    """Return what this machine lacks of `evidence`, "" where it lacks nothing."""
    token = Path(evidence.token)
    if not token.is_file() or token.read_text() != evidence.word:
        return f"does not see {evidence.place}: the repository must lie on storage that all nodes share"
    for folder, listing in evidence.listings.items():
        if _listing(Path(folder)) != listing:
            return f"does not see in {folder} what the driver sees: it must lie on storage that all nodes share"
    own = _versions()
    differ = [f"{name} {own[name]} instead of {at}" for name, at in evidence.versions.items() if own[name] != at]
    return f"has {', '.join(differ)}: install the same versions" if differ else ""


def _remove_strays(folder: Path) -> None:
    """Remove the tokens of drivers of this machine that were killed."""
    for token in folder.glob(f".node-{platform.node()}-*"):
        try:
            os.kill(int(token.name.split("-")[-2]), 0)
        except ProcessLookupError:
            token.unlink(missing_ok=True)
        except (PermissionError, ValueError):  # another user's, or none of ours
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
