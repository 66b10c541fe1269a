"""Presets: `presets/NAME.yaml` merged into `params.yaml`, keeping its comments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.core.errors import ParamsError
from pipeline.core.files import edited_file
from pipeline.params import load_params

NULL_TAG = "tag:yaml.org,2002:null"


class Change(NamedTuple):
    """One parameter that a preset changed."""

    key: str
    before: Any
    after: Any


def preset_names(root: Path) -> list[str]:
    """Return the names of all presets."""
    return sorted(path.stem for path in (root / "presets").glob("*.yaml"))


def preset_changes(root: Path, name: str) -> list[Change]:
    """Return the changes that `apply_preset` would make."""
    return _merged(root, name)[2]


def apply_preset(root: Path, name: str) -> list[Change]:
    """Merge preset `name` into `params.yaml` and return the changes; raise `ParamsError` without changing the file."""
    yaml, params, changes = _merged(root, name)
    with edited_file(root / "params.yaml") as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            yaml.dump(params, file)
        load_params(temporary)  # an invalid preset leaves params.yaml unchanged
    return changes


def _merged(root: Path, name: str) -> tuple[YAML, Any, list[Change]]:
    """Return the YAML writer of `params.yaml`, its content with preset `name` merged, and the changes."""
    names = preset_names(root)
    if name not in names:
        raise ParamsError(f"preset: found {name!r}, allowed are {', '.join(names)}")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # never fold a line
    yaml.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(NULL_TAG, "null"))
    params = yaml.load((root / "params.yaml").read_text(encoding="utf-8"))
    preset = yaml.load((root / "presets" / f"{name}.yaml").read_text(encoding="utf-8"))
    return yaml, params, list(_merge(params, preset, ""))


def _merge(params: Any, preset: Any, prefix: str) -> Iterator[Change]:
    for key, value in preset.items():
        if isinstance(value, dict) and isinstance(params.get(key), dict):
            yield from _merge(params[key], value, f"{prefix}{key}.")
        elif params.get(key) != value:
            yield Change(f"{prefix}{key}", params.get(key), value)
            params[key] = value
