"""The package outside of its repository: a wheel, what it needs, and a published model used from it."""

import json
import os
import re
import shutil
import subprocess
import sys
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from pipeline.__main__ import EXTRAS, main
from tests.hub import Hub

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s#]+)", re.MULTILINE)

# A program in which some modules are not installed, and the command that it runs.
WITHOUT = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
"""
LOAD = """
heavy = {"torch", "transformers", "pyarrow", "numpy", "huggingface_hub"}
import pipeline
assert not [name for name in heavy if sys.modules.get(name)]
assert "site" in pipeline.__file__, pipeline.__file__
found = pipeline.load(sys.argv[2]).recommend(tags="war", plot="a dog runs .", image=sys.argv[3], k=5)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which a wheel of the project was unpacked as by pip."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*build, "--wheel-dir", folder, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nis the environment that of requirements-dev.txt?"
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, where: Path, absent: list[str], program: str, *arguments: str, **variables: str):
    """Run a program with the unpacked wheel first on the path and without the repository."""
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"} | variables
    command = [sys.executable, "-c", WITHOUT + program, json.dumps(absent), *arguments]
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


def test_every_pinned_version_is_in_its_required_range(installed):
    (metadata,) = installed.glob("*.dist-info/METADATA")
    about = message_from_string(metadata.read_text(encoding="utf-8"))
    asked: dict[str, dict[str, Requirement]] = {}
    for requirement in map(Requirement, about.get_all("Requires-Dist")):
        extra = next(
            (name for name in EXTRAS if requirement.marker and requirement.marker.evaluate({"extra": name})), ""
        )
        asked.setdefault(extra, {})[requirement.name.lower()] = requirement
    assert sorted(asked) == sorted(["", *EXTRAS]) == sorted(["", *about.get_all("Provides-Extra")])
    pinned, engine = pins("requirements.txt"), pins("requirements-ray.txt")
    assert {*asked[""], *asked["serve"], *asked["pipeline"]} == pinned.keys()
    assert asked["ray"].keys() == engine.keys()
    for of_extra in asked.values():
        for name, requirement in of_extra.items():
            assert requirement.specifier.contains((pinned | engine)[name]), requirement


def pins(name: str) -> dict[str, str]:
    """Return the packages that a requirements file pins, and their versions."""
    return {name.lower(): number for name, number in PINNED.findall((ROOT / name).read_text(encoding="utf-8"))}


def test_a_wheel_has_every_module_and_all_files_of_pages_and_reports(installed):
    packed = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    ours = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pipeline", "stages")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= packed
    assert {path.partition("/")[0].partition("-")[0] for path in packed} == {
        "pipeline",
        "stages",
        "soundtrack_retrieval",
    }
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "soundtrack = pipeline.__main__:main" in entry_points.read_text()


def test_a_model_loads_from_the_wheel_alone_and_ranks_the_same(
    installed, root: Path, hub: Hub, tmp_path, monkeypatch, capsys
):
    picture = sorted((root / "data/image").glob("*.jpg"))[0]
    (root / "plot.txt").write_text("a dog runs .", encoding="utf-8")
    monkeypatch.chdir(root)
    query = ["--tags", "war", "--plot", "plot.txt", "--image", str(picture), "-k", "5", "--json"]
    assert main(["recommend", *query]) == 0
    expected = json.loads(capsys.readouterr().out)["tracks"]
    hub.add("someone/films", root / "models/published")
    variables = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "other"), "HF_HUB_DISABLE_XET": "1"}
    (tmp_path / "empty").mkdir()
    absent = [module for modules in EXTRAS.values() for module in modules if module not in ("anyio", "urllib3")]
    done = run(installed, tmp_path / "empty", absent, LOAD, "hf://someone/films", str(picture), **variables)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(track["fid"], track["number"]) for track in found] == [(t["fid"], t["number"]) for t in expected]
    assert [track["score"] for track in found] == pytest.approx([track["score"] for track in expected], abs=1e-6)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_command_names_the_extra_that_it_lacks(installed, tmp_path, root):
    program = "import pipeline.__main__ as p; sys.argv[0] = 'soundtrack'; sys.exit(p.main(sys.argv[2:]))"
    for extra, arguments in (
        ("serve", ["serve", "--port", "0"]),
        ("pipeline", ["corpus", "add", "https://en.wikipedia.org/wiki/Sherlock_Jr."]),
        ("pipeline", ["ui"]),
    ):
        done = run(installed, root, list(EXTRAS[extra]), program, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.search(rf"`{arguments[0]}` needs ({'|'.join(EXTRAS[extra])})\b", done.stderr), done.stderr
        assert f"pip install 'soundtrack-retrieval[{extra}]'" in done.stderr
        assert done.stderr.count("\n") == 1
    helped = run(installed, tmp_path, [m for modules in EXTRAS.values() for m in modules], program, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "usage: soundtrack" in helped.stdout


def test_a_module_missing_from_every_extra_is_an_error(monkeypatch):
    def run(options):
        raise ModuleNotFoundError("No module named 'pipeline.gone'", name="pipeline.gone")

    monkeypatch.setattr("pipeline.commands.ui._run", run)
    with pytest.raises(ModuleNotFoundError):
        main(["ui"])
