"""The shape of the project: imports point one way, stages name the code they reach, parameters match classes."""

import ast
import dataclasses
import re
import typing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.params import Params, load_params

ROOT = Path(__file__).parent.parent
FLOORS = (  # packages and modules of pipeline/, from the top: imports point to a lower layer or stay in the package
    ("__main__.py",),
    ("commands",),
    ("apps",),
    ("params.py",),
    ("compare", "publish"),
    ("evaluate", "train"),
    ("model", "features"),
    ("store", "download", "scrape", "parse"),
    ("split", "segment", "encoders", "corpus", "tracking"),
    ("media",),
    ("core",),
)
APPS = (  # packages of apps/, from the top
    ("web", "doctor"),
    ("library", "checkpoint", "published"),
    ("recommend", "corpus", "leaderboard", "sync", "parallel", "ui.py", "presets.py", "experiments.py"),
)
WATCHES = {"tracking": "MLflow and progress: they report what a stage does, and no output depends on them"}
PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
SCRIPTS = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
HEAVY = {"torch", "torchaudio", "transformers", "yt_dlp", "mlflow", "matplotlib"}


def module_path(name: str) -> Path | None:
    """Return the file of a module of this repository, or None for any other module."""
    path = ROOT / name.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def imports_of(path: Path) -> set[str]:
    """Return the modules imported anywhere in a file, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_files(path: Path) -> set[Path]:
    """Return the files of `pipeline` that a file imports, including each package's `__init__`."""
    found = set()
    for name in imports_of(path):
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            target = module_path(".".join(parts[:end]))
            if target and target.is_relative_to(ROOT / "pipeline"):
                found.add(target)
    return found


def reached_from(path: Path, through_params: bool = True) -> set[Path]:
    """Return the repository's files that running `path` can load; optionally none behind `pipeline/params.py`."""
    found, waiting = set(), [path]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        if current != ROOT / "pipeline/__init__.py" and (through_params or current != ROOT / "pipeline/params.py"):
            waiting += imported_files(current)  # imports of the package itself serve programs, not its stages
    return found


def entry(stage: str) -> dict:
    """Return a stage of dvc.yaml, or its template if it is a foreach."""
    return PIPELINE[stage].get("do", PIPELINE[stage])


def test_every_stage_has_a_script_a_package_and_a_section():
    assert sorted(PIPELINE) == SCRIPTS
    sections = {field.name for field in dataclasses.fields(Params)}
    for stage in PIPELINE:
        assert (ROOT / "pipeline" / stage / "__init__.py").is_file(), stage
        assert stage in sections or stage == "publish", f"{stage} has no section in params.yaml"
        assert f"stages.{stage}" in entry(stage)["cmd"]


@pytest.mark.parametrize("stage", SCRIPTS)
def test_stage_depends_on_exactly_the_packages_that_it_reaches(stage):
    code = {Path(dep) for dep in entry(stage)["deps"] if dep.startswith(("pipeline/", "stages/"))}
    reached = {Path("stages") / f"{stage}.py"}
    for path in reached_from(ROOT / "stages" / f"{stage}.py", through_params=stage != "split"):
        parts = path.relative_to(ROOT).parts
        if parts[0] == "pipeline" and parts[1] not in ("__init__.py", *WATCHES):
            reached.add(Path(*parts[:2]))
    assert code == reached
    assert len(code) <= 7


def test_dvc_yaml_stays_short():
    code = [dep for stage in PIPELINE for dep in entry(stage)["deps"] if dep.startswith(("pipeline/", "stages/"))]
    assert len(code) <= 55


def floor_of(path: Path, floors: tuple[tuple[str, ...], ...]) -> int:
    """Return the layer of a path's first part, counted from the top."""
    return next(number for number, rooms in enumerate(floors) if path.parts[0] in rooms)


def test_imports_point_down():
    wrong = []
    for path in (ROOT / "pipeline").rglob("*.py"):
        here = path.relative_to(ROOT / "pipeline")
        if here.name == "__init__.py" and len(here.parts) == 1:
            continue
        for target in imported_files(path):
            there = target.relative_to(ROOT / "pipeline")
            if (len(there.parts) == 1 and there.name == "__init__.py") or there.parts[0] == here.parts[0]:
                continue
            if floor_of(there, FLOORS) <= floor_of(here, FLOORS):
                wrong.append((str(here), str(there)))
    assert wrong == []


def test_apps_import_no_command_and_only_lower_apps():
    wrong = []
    for path in (ROOT / "pipeline/apps").rglob("*.py"):
        here = path.relative_to(ROOT / "pipeline/apps")
        for target in imported_files(path):
            if not target.is_relative_to(ROOT / "pipeline/apps") or target.parent == ROOT / "pipeline/apps":
                continue
            there = target.relative_to(ROOT / "pipeline/apps")
            if there.parts[0] != here.parts[0] and floor_of(there, APPS) <= floor_of(here, APPS):
                wrong.append((str(here), str(there)))
    assert wrong == []


def test_every_package_has_a_layer():
    here = {
        path.name for path in (ROOT / "pipeline").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert here - {"__init__.py"} == {room for floor in FLOORS for room in floor}


def test_stages_never_import_stages():
    wrong = {s: n for s in SCRIPTS for n in imports_of(ROOT / f"stages/{s}.py") if n.split(".")[0] == "stages"}
    assert wrong == {}


def test_code_contains_no_variant_name():
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
    names = keys_of(cls)
    assert list(raw) == names, (
        f"the keys of {prefix or 'params.yaml'} and of {cls.__name__} differ, or stand in another order"
    )
    hints = {name: hint for shape in shapes_of(cls) for name, hint in typing.get_type_hints(shape).items()}
    for name in names:
        if shapes_of(hints[name]) and name != "variants":  # its keys are chosen by users
            assert_same_keys(raw[name], hints[name], f"{prefix}{name}.")


def shapes_of(cls: type) -> list[type]:
    """Return the possible dataclasses of a section: itself, or the members of a union."""
    members = typing.get_args(cls) or (cls,)
    return [member for member in members if dataclasses.is_dataclass(member)]


def keys_of(cls: type) -> list[str]:
    """Return the distinct keys of a section in order."""
    return list(dict.fromkeys(field.name for shape in shapes_of(cls) for field in dataclasses.fields(shape)))


def loaded_sections(stage: str) -> set[str]:
    """Return the dotted names of the sections that a stage script passes to `launch`; `*` if a variant names them."""
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    (call,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "launch"]
    given = call.args[1]
    if isinstance(given, ast.Name):  # a variable that holds a dict
        assigned = {ast.unparse(node.targets[0]): node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)}
        given = assigned[given.id]
    assert isinstance(given, ast.Dict)
    return {
        key.value if isinstance(key, ast.Constant) else re.sub(r"^f.|.$", "", re.sub(r"\{.*?\}", "*", ast.unparse(key)))
        for key in given.keys
    }


@pytest.mark.parametrize("stage", SCRIPTS)
def test_a_stage_depends_on_the_sections_that_it_loads_and_none_on_the_machine(stage):
    listed = {re.sub(r"\$\{.*?\}", "*", key) for key in entry(stage)["params"]}
    assert "machine" not in listed
    if stage == "split":  # it loads, and so checks, all of them
        assert loaded_sections(stage) == {""}
        return
    loaded = loaded_sections(stage) - {"machine"}
    owners = {key.removesuffix(".*").split(".")[0] if key.startswith(("variants", "corpus")) else key for key in listed}
    assert owners == loaded


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


def test_no_pickle_and_torch_loads_weights_only():
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


def test_importing_the_package_is_light():
    heavy = {name for name in imports_of(ROOT / "pipeline/__init__.py") if name.split(".")[0] in HEAVY}
    assert heavy == set()
