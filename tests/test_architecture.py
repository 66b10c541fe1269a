"""The shape of the project: imports point one way, stages name the code they reach, parameters match classes."""

import ast
import dataclasses
import typing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.params import Params, load_params

ROOT = Path(__file__).parent.parent
STAGES = [
    "scrape",
    "parse",
    "download",
    "segment",
    "split",
    "features",
    "model",
    "train",
    "evaluate",
    "compare",
    "publish",
]
PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
SCRIPTS = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
HEAVY = {"torch", "torchaudio", "transformers", "yt_dlp", "mlflow", "matplotlib"}


def module_path(name: str) -> Path | None:
    """Return the file of a module of this repository, None for another's."""
    path = ROOT / name.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reached_from(path: Path) -> set[Path]:
    """Return the repository's files that running `path` can load, the packages' own `__init__` included."""
    found, waiting = set(), [path]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        for name in imports_of(current):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                target = module_path(".".join(parts[:end]))
                if target and target.is_relative_to(ROOT / "pipeline"):
                    waiting.append(target)
    return found


def entry(stage: str) -> dict:
    """Return a stage of dvc.yaml, the template where it is a foreach."""
    return PIPELINE[stage].get("do", PIPELINE[stage])


def test_every_stage_has_a_script_a_package_and_a_section():
    assert sorted(PIPELINE) == SCRIPTS
    sections = {field.name for field in dataclasses.fields(Params)}
    for stage in PIPELINE:
        assert (ROOT / "pipeline" / stage / "__init__.py").is_file(), stage
        assert stage in sections or stage == "publish", f"{stage} has no section in params.yaml"
        assert f"stages.{stage}" in entry(stage)["cmd"]


@pytest.mark.parametrize("stage", SCRIPTS)
def test_stage_depends_on_exactly_the_code_that_it_reaches(stage):
    code = [ROOT / dep for dep in entry(stage)["deps"] if dep.startswith(("pipeline/", "stages/"))]
    reached = reached_from(ROOT / "stages" / f"{stage}.py") - {ROOT / "pipeline/__init__.py"}
    missing = {path for path in reached if not any(path.is_relative_to(dep) for dep in code)}
    assert {str(path.relative_to(ROOT)) for path in missing} == set(), "dvc.yaml lacks these dependencies"
    idle = {dep for dep in code if not any(path.is_relative_to(dep) for path in reached)}
    assert {str(path.relative_to(ROOT)) for path in idle} == set(), "dvc.yaml names code that the stage does not reach"


def test_imports_point_towards_the_start_of_the_pipeline():
    commands = {  # which no stage imports
        "__main__.py",
        "catalog",
        "checkpoint",
        "doctor",
        "experiments.py",
        "leaderboard",
        "library",
        "preset.py",
        "recommend",
        "sync",
        "ui",
        "web",
    }
    wrong = []
    for path in (ROOT / "pipeline").rglob("*.py"):
        package = path.relative_to(ROOT / "pipeline").parts[0]
        if package in commands:
            continue
        reach = STAGES.index(package) if package in STAGES else -1  # a module that the stages share knows none of them
        for name in imports_of(path):
            owner, *rest = name.split(".")
            backwards = owner == "pipeline" and rest and rest[0] in STAGES and STAGES.index(rest[0]) > reach
            if backwards or owner == "stages":
                wrong.append((str(path.relative_to(ROOT)), name))
    assert wrong == []


def test_stages_never_import_stages():
    wrong = {s: n for s in SCRIPTS for n in imports_of(ROOT / f"stages/{s}.py") if n.split(".")[0] == "stages"}
    assert wrong == {}


def test_stage_scripts_are_thin():
    long = {stage: len((ROOT / f"stages/{stage}.py").read_text().splitlines()) for stage in SCRIPTS}
    assert {stage: lines for stage, lines in long.items() if lines > 60} == {}


def test_library_modules_are_short():
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in (ROOT / "pipeline").rglob("*.py")}
    assert {path: lines for path, lines in long.items() if lines > 300} == {}


def test_code_names_no_variant():
    names = set(load_params(ROOT / "params.yaml").variants)
    found = []
    for folder in ("pipeline", "stages"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and node.value in names:
                    found.append((str(path.relative_to(ROOT)), node.value))
    assert found == []


def test_sections_of_params_yaml_are_the_fields_of_the_dataclasses():
    raw = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    assert_same_keys(raw, Params, "")


def assert_same_keys(raw: dict, cls: type, prefix: str) -> None:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    assert list(raw) == names, (
        f"the keys of {prefix or 'params.yaml'} and of {cls.__name__} differ, or stand in another order"
    )
    for name in names:
        if dataclasses.is_dataclass(hints[name]):
            assert_same_keys(raw[name], hints[name], f"{prefix}{name}.")


@pytest.mark.parametrize("stage", SCRIPTS)
def test_parameters_that_a_stage_lists_exist(stage):
    raw = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    for key in entry(stage)["params"]:
        names = (
            {"key": next(iter(raw["variants"])), "variant": raw["variant"]} if "variants" in key else {"key": "audio"}
        )
        for name, value in names.items():
            key = key.replace("${" + name + "}", value)
        node = raw
        for part in key.split("."):
            assert part in node, f"{stage}: {key}"
            node = node[part]


def test_no_pickle_is_read_and_torch_loads_weights_only():
    for folder in ("pipeline", "stages"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                    assert (owner, node.func.attr) not in {("pickle", "load"), ("pickle", "loads")}, path
                    if (owner, node.func.attr) == ("torch", "load"):
                        arguments = {keyword.arg: keyword.value for keyword in node.keywords}
                        assert getattr(arguments.get("weights_only"), "value", False) is True, path
                    if (owner, node.func.attr) in {("np", "load"), ("numpy", "load")}:
                        assert "allow_pickle" not in {keyword.arg for keyword in node.keywords}, path


def test_package_import_is_light():
    heavy = {name for name in imports_of(ROOT / "pipeline/__init__.py") if name.split(".")[0] in HEAVY}
    assert heavy == set()
