"""Presets: `presets/NAME.yaml` merged into `params.yaml`, keeping its comments, and the way back.

`params.yaml` is written as DVC writes it, so that a later `dvc exp run --set-param` changes only its own lines.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.core.errors import ParamsError
from pipeline.core.files import edited_file, write_bytes
from pipeline.params import load_params

PARAMS = "params.yaml"
BEFORE, AFTER = Path(".cache/preset/before.yaml"), Path(".cache/preset/after.yaml")  # params.yaml, at the last preset
MISSING = object()  # the value of a parameter that a file lacks


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
    return _merged(root, name)[1]


def apply_preset(root: Path, name: str) -> list[Change]:
    """Merge preset `name` into `params.yaml` and return the changes; raise `ParamsError` without changing the file."""
    text, changes = _merged(root, name)
    if changes:
        before = _text(root / PARAMS)
        _write(root, text)  # an invalid preset leaves params.yaml unchanged
        write_bytes(root / BEFORE, before.encode())
        write_bytes(root / AFTER, text.encode())
    return changes


def undo_preset(root: Path) -> list[Change]:
    """Undo the last preset and return the changes; parameters that it did not change keep their values.

    Raises `ParamsError` without changing the file if there is no preset to undo, or if one of its parameters was
    changed since.
    """
    if not (root / BEFORE).exists() or not (root / AFTER).exists():
        raise ParamsError("preset --undo: found no preset to undo; `git diff params.yaml` shows other changes")
    text, before, after = _text(root / PARAMS), _text(root / BEFORE), _text(root / AFTER)
    params = _load(text)
    changes = list(_differences(_load(after), _load(before), ""))
    for key, expected, _ in changes:
        if (found := _value(params, key)) != expected:
            raise ParamsError(
                f"preset --undo: {key} was changed after the preset: found {_shown(found)}, expected "
                f"{_shown(expected)}; set it to that value, or undo by hand: diff {BEFORE} {PARAMS}"
            )
    for key, _, value in changes:
        _set(params, key, value)
    _write(root, before if text == after else _dumped(params))
    (root / BEFORE).unlink()
    (root / AFTER).unlink()
    return [Change(key, _null(old), _null(new)) for key, old, new in changes]


def _merged(root: Path, name: str) -> tuple[str, list[Change]]:
    """Return `params.yaml` with preset `name` merged, and the changes."""
    names = preset_names(root)
    if name not in names:
        raise ParamsError(f"preset: found {name!r}, allowed are {', '.join(names)}")
    params = _load(_text(root / PARAMS))
    preset = YAML(typ="safe", pure=True).load(_text(root / "presets" / f"{name}.yaml"))
    changes = [Change(key, _null(old), new) for key, old, new in _differences(params, preset, "") if new is not MISSING]
    for key, _, value in changes:
        _set(params, key, value)
    return _dumped(params), changes


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield key, old and new value of each parameter that differs; `MISSING` for one that a side lacks."""
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key, MISSING), new.get(key, MISSING)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}", before, after


def _value(params: Any, key: str) -> Any:
    for name in key.split("."):
        params = params.get(name, MISSING) if isinstance(params, dict) else MISSING
    return params


def _set(params: Any, key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        params = params[section]
    if value is MISSING:
        del params[name]
    else:
        params[name] = value


def _null(value: Any) -> Any:
    return None if value is MISSING else value


def _shown(value: Any) -> str:
    return "no value" if value is MISSING else "null" if value is None else str(value)


def _load(text: str) -> Any:
    return YAML().load(text)


def _dumped(params: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style = False  # as DVC
    stream = io.StringIO()
    yaml.dump(params, stream)
    return stream.getvalue()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(root: Path, text: str) -> None:
    """Write `params.yaml` if `text` is valid; raise `ParamsError`."""
    with edited_file(root / PARAMS) as temporary:
        temporary.write_text(text, encoding="utf-8")
        load_params(temporary)
