"""A variant in dvc.lock: the parameters that produced its model, which may differ from params.yaml."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.files import BLOCK_BYTES
from pipeline.core.variants import short_form
from pipeline.params import Params
from pipeline.store.table import open_parquet
from pipeline.tracking.flat import flat_params, flattened

LOCK, PARAMS = "dvc.lock", "params.yaml"
AUDIO = "data/features/audio.parquet"


def read_stages(folder: Path) -> dict[str, Any]:
    """Return the stages of the dvc.lock in `folder`; empty if it is missing or damaged."""
    try:
        lock = YAML(typ="safe").load((folder / LOCK).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return {}
    return lock.get("stages", {}) if isinstance(lock, Mapping) else {}


def produced_by(stages: Mapping[str, Any], weights: Path, variant: str, params: Params) -> tuple[dict[str, Any], str]:
    """Return the parameters of the model of `weights` by dotted name, and the file from which they come.

    If dvc.lock lists exactly these weights, they are its parameters of the training, of every stage before it and of
    the evaluation; else those of `params`, which may have changed since.
    """
    trained = stages.get(f"train@{variant}", {})
    if _md5_in(trained.get("outs", ()), f"models/{variant}/{weights.name}") != _md5_of(weights):
        return flat_params(asdict(params), variant), PARAMS
    values: dict[str, Any] = {}
    row: Any = []
    for name, stage in stages.items():
        if name.partition("@")[2] in ("", "audio", "image", "text", variant):
            found = stage.get("params", {}).get(PARAMS, {})
            row = found.get(f"variants.{variant}", row)
            values |= dict(flattened({key: value for key, value in found.items() if not key.startswith("variants")}))
    return values | {"variant": variant, "variants": short_form(row)}, LOCK


def dataset_digest(stages: Mapping[str, Any], variant: str, root: Path) -> str:
    """Return the digest of the audio features that trained `variant`; empty unless they are those in `root`."""
    used = _md5_in(stages.get(f"train@{variant}", {}).get("deps", ()), AUDIO)
    if used is None or used != _md5_in(read_stages(root).get("features@audio", {}).get("outs", ()), AUDIO):
        return ""
    if not (root / AUDIO).is_file():
        return ""
    with open_parquet(root / AUDIO) as (_, about):
        return about["digest"]


def _md5_in(entries: Any, path: str) -> str | None:
    return next((entry.get("md5") for entry in entries if entry["path"] == path), None)


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # DVC's name of a file's content
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
