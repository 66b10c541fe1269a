"""A published folder: weights, config and index of tracks, as `publish` writes them, checked before use.

A folder of the hub is untrusted. Weights are safetensors and the index is Parquet, both limited in size; neither can
hold code. The config is checked key by key and must describe the shapes of the weights. Its encoders must be models of
a package or of the hub: names that may be paths are refused, and so are settings that make transformers fetch more.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open

from pipeline.core.errors import ModelError, PipelineError
from pipeline.core.fields import STRICT, Count, Dropout
from pipeline.core.hub import fetch, files_of, hub_address, is_hub_address
from pipeline.core.variants import Input, TagsRule, VariantName
from pipeline.model.section import Model
from pipeline.model.store import BUILDING, CONFIG, WEIGHTS, build_model
from pipeline.store.films import INPUT_TABLES
from pipeline.store.index import INDEX

LIMITS = {CONFIG: 100_000_000, WEIGHTS: 20_000_000_000, INDEX: 10_000_000_000}  # bytes; a config may hold a tokenizer
MOST_TRACKS = 20_000_000
MOST_STEPS = 100_000  # limit of every count in a config, e.g. of layers
AGAIN = "run `dvc repro publish` to write a model of this version"
ENCODER = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")  # a model of a package, or OWNER/REPO of the hub
SPEC = ("encoder", "width")  # keys of every encoder
SPEC_OF = {"text": (*SPEC, "pooling", "max_tokens"), "image": (*SPEC, "pooling")}
FETCHING = {
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "quantization_config",
    "backbone",
    "backbone_config",
}


@dataclass(frozen=True, config=STRICT)
class Config:
    """The config of a published model."""

    variant: VariantName
    inputs: Annotated[list[Input], Field(min_length=1)]
    window_steps: Count
    fuse_single: bool
    drop_inputs: Dropout
    model: Model
    features: dict[str, dict[str, Any]]
    encoders: dict[str, dict[str, Any]]
    tags_rule: TagsRule


def published_folder(model: str) -> tuple[Path, Config]:
    """Return the folder `model`, or the one fetched from the hub for an address, and its config.

    Raises `HubError` as `pipeline.core.hub` does, and `ModelError` if the folder holds no published model of this
    version, or an unsafe one.
    """
    if is_hub_address(model):
        address = hub_address(model)
        _require_files(model, files_of(address))
        folder = fetch(address, list(LIMITS))
        config = read_config(model, folder)
        for key, name in encoders_of(config):
            if not is_shareable(name) or Path(name).exists():
                raise ModelError(
                    f"{model}: {CONFIG}: {key}: found {name!r}, allowed are models of a package or of the hub"
                )
        for kind, settings in config.encoders.items():
            if found := sorted(FETCHING & {*_keys(settings)}):
                raise ModelError(f"{model}: {CONFIG}: encoders.{kind}: {found[0]} is not allowed in a model of the hub")
        require_whole(model, folder, config)
        return folder, config
    folder = Path(model)
    if not folder.is_dir():
        raise ModelError(f"model: found {model!r}, allowed are folders written by `publish` and hf://OWNER/REPO")
    _require_files(model, {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()})
    return folder, read_config(model, folder)


def read_config(model: str, folder: Path) -> Config:
    """Return the config of a folder; raise `ModelError` naming the first wrong key."""
    try:
        config = TypeAdapter(Config).validate_json((folder / CONFIG).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "JSON"
        raise ModelError(f"{model}: {CONFIG}: {key}: {first['msg']}; {AGAIN}") from None
    needed: list[tuple[str, str, tuple[str, ...]]] = [("features", "audio", SPEC)]
    for of_input in config.inputs:
        kind = INPUT_TABLES[of_input]
        place = ("encoders", kind) if kind in config.encoders else ("features", of_input)
        needed.append((*place, SPEC_OF[kind]))
    for part, name, keys in needed:
        spec = getattr(config, part).get(name, {})
        for key in keys:
            if not isinstance(spec.get(key), str | int):
                raise ModelError(f"{model}: {CONFIG}: {part}.{name}.{key}: found {spec.get(key)!r}; {AGAIN}")
    return config


def encoders_of(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the key and the name of every encoder."""
    for part, of_part in (("features", config.features), ("encoders", config.encoders)):
        for kind, settings in of_part.items():
            yield f"{part}.{kind}.encoder", str(settings.get("encoder"))


def is_shareable(encoder: str) -> bool:
    """Return whether `encoder` names the same encoder on every machine; the path of a folder does not."""
    return ENCODER.fullmatch(encoder) is not None


def require_whole(model: str, folder: Path, config: Config) -> None:
    """Raise `ModelError` if weights, config and index are inconsistent or too large."""
    if max(_numbers(TypeAdapter(Config).dump_python(config)["model"]), default=0) > MOST_STEPS:
        raise ModelError(f"{model}: {CONFIG}: model: found a number above the maximum, {MOST_STEPS}")
    try:
        with BUILDING, torch.device("meta"):
            built = build_model(TypeAdapter(Config).dump_python(config, mode="json"))
        with safe_open(folder / WEIGHTS, "pt") as file:
            shapes = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        stored = pq.ParquetFile(folder / INDEX).metadata
        size = sum(stored.row_group(number).total_byte_size for number in range(stored.num_row_groups))
    except (SafetensorError, pa.ArrowException, OSError) as error:
        raise ModelError(f"{model} is damaged ({error})") from None
    except PipelineError:
        raise
    except Exception as error:  # networks raise various types for invalid settings
        raise ModelError(f"{model}: {CONFIG} does not describe a model of this version ({error})") from None
    if shapes != {name: list(value.shape) for name, value in built.state_dict().items()}:
        raise ModelError(f"{model}: {WEIGHTS} does not match {CONFIG}")
    if stored.num_rows > MOST_TRACKS or size > LIMITS[INDEX]:
        raise ModelError(
            f"{model}: {INDEX} has {stored.num_rows} tracks in {size} bytes, allowed are {MOST_TRACKS} tracks in "
            f"{LIMITS[INDEX]} bytes"
        )


def _require_files(model: str, sizes: Mapping[str, int]) -> None:
    for name, most in LIMITS.items():
        if name not in sizes:
            raise ModelError(f"{model} has no {name}: it is not a published model; {AGAIN}")
        if sizes[name] > most:
            raise ModelError(f"{model}: {name} has {sizes[name]} bytes, allowed are at most {most}")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, int | float):
        yield value
