"""`python -m pipeline preset NAME`: lay `presets/NAME.yaml` over `params.yaml`, keeping its comments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.errors import ParamsError
from pipeline.core.files import whole_file
from pipeline.params import load_params

NULL_TAG = "tag:yaml.org,2002:null"


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser("preset", help="lay presets/NAME.yaml over params.yaml")
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(names(Path()))}")
    parser.set_defaults(run=lambda options: lay(Path(), options.name))


def names(root: Path) -> list[str]:
    """Return the names of the presets that there are."""
    return sorted(path.stem for path in (root / "presets").glob("*.yaml"))


def lay(root: Path, name: str) -> int:
    """Lay preset `name` over `params.yaml`, print each change, and return 0; raise `ParamsError` and change nothing."""
    if name not in names(root):
        raise ParamsError(f"preset: found {name!r}, allowed are {', '.join(names(root))}")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # never fold a line
    yaml.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(NULL_TAG, "null"))
    params = yaml.load((root / "params.yaml").read_text(encoding="utf-8"))
    wanted = yaml.load((root / "presets" / f"{name}.yaml").read_text(encoding="utf-8"))
    changes = list(_merge(params, wanted, ""))
    with whole_file(root / "params.yaml") as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            yaml.dump(params, file)
        load_params(temporary)  # a preset that does not fit leaves params.yaml as it was
    for key, before, after in changes:
        print(f"{key}: {_shown(before)} → {_shown(after)}")
    print(f"{len(changes)} parameters changed; `dvc repro` rebuilds what depends on them")
    return 0


def _merge(params: Any, wanted: Any, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(params.get(key), dict):
            yield from _merge(params[key], value, f"{prefix}{key}.")
        elif params.get(key) != value:
            yield f"{prefix}{key}", params.get(key), value
            params[key] = value


def _shown(value: Any) -> Any:
    return "null" if value is None else value
