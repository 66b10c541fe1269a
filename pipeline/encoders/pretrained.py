"""Pretrained models: loading, inference settings, digests, and errors.

Weights are read as tensors only, preferably from safetensors, and no code from a model's repository is run.

Poolings reduce a model's vectors to one: `cls` the class token, `mean` the mean of the tokens, `pooler` the model's own
output, which it was trained to compare or classify by: the projection of CLIP and CLAP, the pooling head of SigLIP, the
dense layer over the class token of BERT.
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

VERSION = 1  # of all encoders, part of the cache key: raise when the values for the same input change
HEADS = ("pooler.", "head.", "visual_projection.", "audio_projection.")  # weights of the pooled output only
UNREAD = ("masked_spec_embed", "embeddings.mask_token")  # for pretraining only; missing in many checkpoints
CONSTANT = ("position_ids", "token_type_ids", "num_batches_tracked")  # suffixes of buffers that the model sets
IGNORED_SETTINGS = (
    "_name_or_path",
    "architectures",
    "dtype",
    "transformers_version",
)  # keys of a configuration that do not affect the model

Poolings = Mapping[str, Callable[[], Tensor]]  # functions that return [n, f], by name
Towers = Mapping[str, tuple[str, str | None]]  # by model type: class of the part to load, and its configuration


@contextmanager
def explained(
    key: str, encoder: str, here: Collection[str], hub: str = "a model of the Hugging Face hub"
) -> Iterator[None]:
    """Turn exceptions of libraries in the block into a `ModelError` with the parameter `key` and its allowed values.

    `here` are the encoders that need no download, `hub` describes the others.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # tokenizers and safetensors raise it for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        installed = f"an installed encoder ({', '.join(here)}), " if here else ""
        raise ModelError(
            f"{key}: {encoder!r} cannot be used: {lines[0] if lines else type(error).__name__}\n"
            f"Name {installed}a folder written by save_pretrained of transformers, or {hub}, which needs a connection "
            "the first time; offline, set HF_HOME to a cache filled elsewhere."
        ) from error


def load_model(folder: Path, towers: Towers) -> tuple[Any, bool]:
    """Return the transformers model in `folder`, in evaluation mode and float32, and whether its head is complete.

    For model types in `towers` only that part is loaded. With an incomplete head the pooled output is random. Raises
    `ValueError` for other missing weights and unknown model types, and exceptions of the library.
    """
    import transformers

    config = _config(folder)
    name, part = towers.get(config.model_type, ("AutoModel", None))
    if part is not None:
        projection = getattr(config, "projection_dim", None)
        config = getattr(config, part)
        if projection is not None:  # the part's own value is often the library's default
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
    """Silence transformers while it loads a model; problems that matter are raised."""
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
    """Compute without gradients, with products in bfloat16 and sums in float32 if the device supports it."""
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=supports_bfloat16(device)):
        yield


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether the device supports bfloat16 natively."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def precision_of(device: torch.device) -> str:
    """Return the precision of products under `inference` on a device: bfloat16 or float32."""
    return "bfloat16" if supports_bfloat16(device) else "float32"


def choose_pooling(key: str, encoder: str, wanted: str, auto: str, allowed: Poolings) -> str:
    """Return the pooling `wanted`, or the model's `auto` if that is "auto"; raise `ParamsError` unless allowed."""
    pooling = auto if wanted == "auto" else wanted
    if pooling not in allowed:
        names = ", ".join(allowed) or "none"
        raise ParamsError(f"{key}: found {wanted!r}; {encoder} has weights for {names}")
    return pooling


def digests(model: Any, head: bool, device: torch.device) -> dict[str, Any]:
    """Return `VERSION`, the precision on `device`, and the SHA-256 of a model's weights and settings.

    The weights include those of its head only if `head`.
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
    """Return the hexadecimal SHA-256 of settings as JSON, with other objects converted by `str`."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _config(folder: Path) -> Any:
    from transformers import CONFIG_MAPPING, AutoConfig

    kind = json.loads((folder / "config.json").read_text()).get("model_type")
    if kind is not None and kind not in CONFIG_MAPPING:
        raise ValueError(
            f"its model_type {kind!r} is not supported by transformers {version('transformers')}; code from a "
            "model's repository is never run"
        )
    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
