"""Pretrained encoders: where they come from, how they load, and how one that does not load is explained.

Weights are read as tensors only and no code of a model's own repository runs. What comes with an installed package
needs no network.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from pipeline.errors import ModelError

UNUSED = "pooler."  # weights that no feature reads, and that many checkpoints lack: then they are random
LOADING_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, RuntimeError)


@contextmanager
def explained(key: str, encoder: str, packaged: Iterable[str]) -> Iterator[None]:
    """Turn what a library raises in the block into a `ModelError` naming the parameter `key` and what is allowed."""
    from safetensors import SafetensorError

    try:
        yield
    except (*LOADING_ERRORS, SafetensorError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{key}: {encoder!r} cannot be used: {lines[0] if lines else type(error).__name__}\n"
            f"Name one out of an installed package ({', '.join(packaged)}), a folder that save_pretrained of "
            "transformers wrote, or a model of the Hugging Face hub (which needs a connection the first time)."
        ) from error


def packaged_path(package: str, name: str) -> Path:
    """Return the path of a file or folder inside an installed package, which is not imported.

    Raises `FileNotFoundError` when the package is not installed or lacks it.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / name).exists():
            return Path(folder) / name
    raise FileNotFoundError(f"the package {package} is not installed whole: run `pip install -r requirements.txt`")


def load_transformer(source: str | Path) -> nn.Module:
    """Return the model of transformers at `source`, a folder or a name of the hub, in evaluation mode and float32.

    Raises `ValueError` when the checkpoint lacks weights of the model, any of `LOADING_ERRORS` when it does not load.
    """
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model, info = AutoModel.from_pretrained(
        source,
        local_files_only=isinstance(source, Path),
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(UNUSED))
    if missing:
        raise ValueError(f"its checkpoint lacks {len(missing)} weights of {type(model).__name__}, e.g. {missing[0]}")
    return model.eval()


def digest_of(model: nn.Module) -> str:
    """Return the hexadecimal SHA-256 of the names and values of a model's weights, those of a pooler left out."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if not name.startswith(UNUSED):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
