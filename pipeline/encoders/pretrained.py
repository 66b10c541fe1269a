"""Pretrained models: how they load, compute, and say what they are, and how one that does not load is explained.

Weights are read as tensors only, from safetensors where there are some, and no code of a model's own repository runs.

Of a model's vectors one is taken, by its pooling: `cls` its class token, `mean` the mean of its tokens, `pooler` its
own output, which is what it was trained to compare or to classify by: the projection of CLIP and CLAP, the pooling
head of SigLIP, the dense layer over the class token of BERT.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.core.errors import ModelError, ParamsError, PipelineError
from pipeline.encoders.section import PRECISION

VERSION = 1  # of all encoders here: raise when the same input would give other values, which are kept by it
HEADS = ("pooler.", "head.", "visual_projection.", "audio_projection.")  # what only a model's pooled output is made of
UNREAD = ("masked_spec_embed", "embeddings.mask_token")  # what only pretraining reads, and many checkpoints lack
CONSTANT = ("position_ids", "token_type_ids", "num_batches_tracked")  # ends of names of what a model sets by itself
IGNORED_SETTINGS = (
    "_name_or_path",
    "architectures",
    "dtype",
    "transformers_version",
)  # of a configuration: no part of the model

Poolings = Mapping[str, Callable[[], Tensor]]  # what a model's output can be pooled to [n, f], by name
Towers = Mapping[str, tuple[str, str | None]]  # by kind of model: class of the part that is read, and its configuration


@contextmanager
def explained(
    key: str, encoder: str, here: Collection[str], hub: str = "a model of the Hugging Face hub"
) -> Iterator[None]:
    """Turn what a library raises in the block into a `ModelError` naming the parameter `key` and what is allowed.

    `here` are the encoders that need no download, `hub` says which others there are.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # as tokenizers and safetensors raise for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        installed = f"one that is installed ({', '.join(here)}), " if here else ""
        raise ModelError(
            f"{key}: {encoder!r} cannot be used: {lines[0] if lines else type(error).__name__}\n"
            f"Name {installed}a folder that save_pretrained of transformers wrote, or {hub}, which needs a connection "
            "the first time, or the variable HF_HOME naming a cache that was filled elsewhere."
        ) from error


def load_model(folder: Path, towers: Towers) -> tuple[Any, bool]:
    """Return the model of transformers in `folder`, in evaluation mode and float32, and whether its head is whole.

    Of a kind that `towers` lists, only that part is loaded. Without a whole head its pooled output is random. Raises
    `ValueError` for other missing weights and unknown kinds, and whatever the library raises when it does not load.
    """
    import transformers

    config = _config(folder)
    name, part = towers.get(config.model_type, ("AutoModel", None))
    if part is not None:
        projection = getattr(config, "projection_dim", None)
        config = getattr(config, part)
        if projection is not None:  # the part's own number is often the library's default
            config.projection_dim = projection
    model, info = getattr(transformers, name).from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        weights_only=True,
        trust_remote_code=False,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # they count as missing
        output_loading_info=True,
    )
    missing = set(info["missing_keys"]) | {key for key, *_ in info["mismatched_keys"]}
    lacking = sorted(key for key in missing if not key.startswith((*HEADS, *UNREAD)) and not key.endswith(CONSTANT))
    if lacking:
        raise ValueError(f"its checkpoint lacks {len(lacking)} weights of {type(model).__name__}, e.g. {lacking[0]}")
    return model.eval(), not any(key.startswith(HEADS) for key in missing)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting on what it loads: what matters is checked and raised."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Compute without gradients; on a device that supports it, products in bfloat16 and sums in float32."""
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=supports_bfloat16(device)):
        yield


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 by itself."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def precision_of(device: torch.device) -> str:
    """Return what `inference` computes products in on a device: bfloat16 or float32."""
    return "bfloat16" if supports_bfloat16(device) else "float32"


def choose_pooling(key: str, encoder: str, wanted: str, auto: str, allowed: Poolings) -> str:
    """Return the pooling `wanted`, or `auto` when that is left to the model; raise `ParamsError` unless allowed."""
    pooling = auto if wanted == "auto" else wanted
    if pooling not in allowed:
        names = ", ".join(allowed) or "none"
        raise ParamsError(f"{key}: found {wanted!r}; {encoder} has weights for {names}")
    return pooling


def digests(model: Any, head: bool, device: torch.device) -> dict[str, Any]:
    """Return what a model is, and computes in on `device`: `VERSION`, and the SHA-256 of its weights and settings.

    Weights of its head are among them only if `head`.
    """
    unread = UNREAD if head else (*HEADS, *UNREAD)
    weights = {name: value for name, value in model.state_dict().items() if not name.startswith(unread)}
    settings = model.config.to_dict() if hasattr(model, "config") else {}
    kept = {key: value for key, value in settings.items() if key not in IGNORED_SETTINGS}
    about = {"version": VERSION, PRECISION: precision_of(device)}
    return about | {"weights": digest_of_weights(weights), "config": digest_of(kept)}


def digest_of_weights(weights: Mapping[str, Tensor]) -> str:
    """Return the hexadecimal SHA-256 of tensors and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def digest_of(settings: dict[str, Any]) -> str:
    """Return the hexadecimal SHA-256 of settings that are JSON but for objects with a text of their own."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _config(folder: Path) -> Any:
    from transformers import CONFIG_MAPPING, AutoConfig

    kind = json.loads((folder / "config.json").read_text()).get("model_type")
    if kind is not None and kind not in CONFIG_MAPPING:
        raise ValueError(
            f"it is of the kind {kind!r}, which transformers {version('transformers')} does not have, and code of a "
            "model's own repository is never run"
        )
    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
